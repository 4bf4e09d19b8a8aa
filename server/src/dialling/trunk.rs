//! The way out to the telephone network, and what may not take it.

use protocol::number::Number;
use url::Host;

use crate::{
    config::{Trunk, TrunkKind},
    number::is_for_drama,
    trunk_form::TrunkForm,
};

/// Why a number is not rung over this trunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TrunkRefuses {
    /// A real number, and the trunk is the simulated one.
    #[error(
        "the trunk is simulated: it rings only the numbers set aside for drama (+44 7700 900000 to 900999)"
    )]
    NotDrama,
    /// The trunk is said to be simulated, and its provider may be a real one.
    #[error(
        "the trunk is said to be simulated, but its provider is neither on loopback nor at an address set aside for examples (192.0.2.0/24); start with --trunk-kind sip, or mend pjsip.conf"
    )]
    NotLoopback,
    /// Asterisk was not asked yet where the provider is, or does not know the trunk.
    #[error("Asterisk does not know this trunk; check --trunk against pjsip.conf")]
    Unknown,
}

/// The trunk, with what Asterisk and an organiser said of it.
#[derive(Debug, Clone)]
pub struct Way {
    trunk: Trunk,
    form: TrunkForm,
    found: Result<(), TrunkRefuses>,
}

impl Way {
    /// A trunk of which nothing is known yet.
    pub fn new(trunk: Trunk) -> Self {
        Self { trunk, form: TrunkForm::default(), found: Err(TrunkRefuses::Unknown) }
    }

    /// How numbers are written from now on.
    pub fn set(&mut self, form: TrunkForm) {
        self.form = form;
    }

    /// The trunk's endpoint.
    pub fn endpoint(&self) -> &str {
        &self.trunk.endpoint
    }

    /// Takes in where the provider is; `None`: Asterisk does not know the trunk.
    pub fn found(&mut self, contacts: Option<&[String]>) {
        self.found = match (contacts, self.trunk.kind) {
            (None | Some([]), _) => Err(TrunkRefuses::Unknown),
            (Some(_), TrunkKind::Sip) => Ok(()),
            (Some(contacts), TrunkKind::Simulated) => {
                let simulated = contacts.iter().all(|contact| is_no_providers(contact));
                if simulated { Ok(()) } else { Err(TrunkRefuses::NotLoopback) }
            }
        };
    }

    /// What Asterisk said.
    ///
    /// # Errors
    /// [`TrunkRefuses`] when nothing may be rung.
    pub fn usable(&self) -> Result<(), TrunkRefuses> {
        self.found
    }

    /// What Asterisk is told to dial. Asterisk escapes what a SIP address must not hold (`#`).
    ///
    /// # Errors
    /// [`TrunkRefuses`]: this number is not to be rung over this trunk.
    pub fn to(&self, number: &Number) -> Result<String, TrunkRefuses> {
        self.found?;
        if self.trunk.kind == TrunkKind::Simulated && !is_for_drama(number) {
            return Err(TrunkRefuses::NotDrama);
        }
        Ok(format!("PJSIP/{}@{}", self.form.callee(number), self.trunk.endpoint))
    }

    /// What the provider is told who calls.
    pub fn caller_id(&self, number: &Number) -> String {
        self.form.caller_id(number)
    }
}

/// Whether `sip:user@127.0.0.1:5070;transport=udp` leads to this machine, or to a network that only examples and tests have
/// (TEST-NET-1 of RFC 5737, section 3): no provider is at either.
fn is_no_providers(contact: &str) -> bool {
    let address = contact.trim_start_matches('<').trim_end_matches('>');
    let Some((_, address)) = address.split_once(':') else { return false };
    let address = address.split([';', '?']).next().unwrap_or_default();
    let host_and_port = address.rsplit('@').next().unwrap_or_default();
    let host = match host_and_port.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => host_and_port,
    };
    match Host::parse(host) {
        Ok(Host::Ipv4(address)) => address.is_loopback() || address.octets()[..3] == [192, 0, 2],
        Ok(Host::Ipv6(address)) => address.is_loopback(),
        Ok(Host::Domain(name)) => name == "localhost",
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn way(kind: TrunkKind, contact: &str) -> Way {
        let mut way = Way::new(Trunk { endpoint: "provider".into(), kind });
        way.found(Some(&[contact.to_owned()]));
        way
    }

    fn number(text: &str) -> Number {
        Number::from_e164(text).unwrap()
    }

    #[test]
    fn a_simulated_trunk_rings_nobody_real() {
        let way = way(TrunkKind::Simulated, "sip:127.0.0.1:5070");
        assert_eq!(way.to(&number("+447700900123")).unwrap(), "PJSIP/+447700900123@provider");
        for real in ["+442079460000", "+447700901000", "+44770090012", "+4477009001234"] {
            assert_eq!(way.to(&number(real)), Err(TrunkRefuses::NotDrama), "{real}");
        }
    }

    #[test]
    fn a_simulated_trunk_leads_to_no_provider() {
        let drama = number("+447700900123");
        for near in [
            "sip:127.0.0.1",
            "sip:x@127.0.0.2:5070;transport=tcp",
            "<sip:[::1]:5060>",
            "sip:localhost:1",
            "sip:192.0.2.2:5060",
        ] {
            assert!(way(TrunkKind::Simulated, near).to(&drama).is_ok(), "{near}");
        }
        for far in [
            "sip:10.0.0.1",
            "sip:127.0.0.1.example.com",
            "sip:example.com",
            "",
            "sip:",
            "sip:127.0.0.1@203.0.114.1",
            "sip:192.0.3.2",
            "sip:192.0.2.2.example.com",
        ] {
            assert_eq!(way(TrunkKind::Simulated, far).to(&drama), Err(TrunkRefuses::NotLoopback), "{far}");
        }
        assert!(way(TrunkKind::Sip, "sip:sip.example.com").to(&number("+442079460000")).is_ok());
    }

    #[test]
    fn nothing_is_rung_before_asterisk_said_where_the_provider_is() {
        let mut way = Way::new(Trunk { endpoint: "provider".into(), kind: TrunkKind::Sip });
        assert_eq!(way.to(&number("+447700900123")), Err(TrunkRefuses::Unknown));
        way.found(None);
        assert_eq!(way.to(&number("+447700900123")), Err(TrunkRefuses::Unknown));
    }

    proptest::proptest! {
        #[test]
        fn no_contact_makes_it_panic(contact in ".{0,80}") {
            let _ = is_no_providers(&contact);
        }
    }
}
