//! The networks of the harness, as in an evening of real life: the server and its node on one machine, the telephone
//! provider on another, and each volunteer at home, all behind a router that stands for the internet. Each is a network
//! namespace of its own, and only cables join them: docs/decisions/0004-three-networks.md.
//!
//! ```text
//! home 1 --- 10.83.1.0/30 ---+
//! home 2 --- 10.83.2.0/30 --- router --- 10.81.0.0/30 --- server and node --- 192.0.2.0/30 --- provider
//! ```

use std::{
    fs,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::PathBuf,
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
        mpsc as blocking,
    },
};

use anyhow::{Context, Result, ensure};
use nix::{
    sched::{CloneFlags, unshare},
    unistd::gettid,
};
use tokio::{runtime::Handle, sync::mpsc, task::JoinSet};

/// Where volunteers reach the server and its node.
pub const SERVER: (Ipv4Addr, Ipv6Addr) = (Ipv4Addr::new(10, 81, 0, 2), ula(0x81, 0, 2));
/// The router's end of the server's cable.
const BEFORE_SERVER: (Ipv4Addr, Ipv6Addr) = (Ipv4Addr::new(10, 81, 0, 1), ula(0x81, 0, 1));
/// The node's address on the provider's side: a network set aside for examples (RFC 5737), from which the server knows that
/// nobody real is rung.
pub const TRUNK: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
/// The provider's.
pub const PROVIDER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);

const fn ula(network: u16, home: u16, host: u16) -> Ipv6Addr {
    Ipv6Addr::new(0xfd00, network, home, 0, 0, 0, 0, host)
}

/// The server can be reached by either; a home has both, unless it is laid with one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

/// The router's end of a home's cable.
pub const fn router_of(home: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 83, home, 1)
}

/// The server's address of a family.
pub fn server_address(family: Family) -> IpAddr {
    match family {
        Family::V4 => SERVER.0.into(),
        Family::V6 => SERVER.1.into(),
    }
}

const NONE_GRANTED: &str = "this machine grants no network namespace, and without them nothing is proven of two computers: run this as root, or \
     through scripts/in-net, which says what is missing";

type Job = Box<dyn FnOnce() + Send>;

/// One network namespace: a thread that lives in it, with a runtime. What is to happen in the network happens on that
/// thread: sockets, connections, programs. It goes with its last holder.
pub struct Net {
    name: String,
    thread: PathBuf,
    jobs: mpsc::UnboundedSender<Job>,
    runtime: Handle,
}

impl Net {
    /// The harness's own network, for what needs one machine only.
    ///
    /// # Errors
    /// When no thread can be had.
    pub(crate) fn here() -> Result<Arc<Self>> {
        Self::on_a_thread("the harness's network", || Ok(()))
    }

    fn new(name: &str) -> Result<Arc<Self>> {
        let net = Self::on_a_thread(name, || Ok(unshare(CloneFlags::CLONE_NEWNET)?)).context(NONE_GRANTED)?;
        net.ip(&["link set lo up".to_owned()])?;
        Ok(net)
    }

    fn on_a_thread(name: &str, first: fn() -> Result<()>) -> Result<Arc<Self>> {
        let (jobs, mut inbox) = mpsc::unbounded_channel::<Job>();
        let (tell, told) = blocking::channel();
        std::thread::Builder::new().name(format!("net {name}")).spawn(move || {
            let made = first()
                .and_then(|()| Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?));
            let runtime = match made {
                Ok(runtime) => runtime,
                Err(error) => {
                    let _ = tell.send(Err(error));
                    return;
                }
            };
            let thread = PathBuf::from(format!("/proc/{}/task/{}", std::process::id(), gettid()));
            let _ = tell.send(Ok((thread, runtime.handle().clone())));
            runtime.block_on(async {
                while let Some(job) = inbox.recv().await {
                    job();
                }
            });
        })?;
        let (thread, runtime) = told.recv()??;
        Ok(Arc::new(Self { name: name.to_owned(), thread, jobs, runtime }))
    }

    /// Does something in this network and waits for it: on its thread, which has no time for anything long. Not to be
    /// called from that very thread.
    ///
    /// # Errors
    /// When the network is gone.
    pub fn enter<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> Result<T> {
        let (tell, told) = blocking::channel();
        let job = Box::new(move || drop(tell.send(job())));
        self.jobs.send(job).ok().with_context(|| format!("{} is gone", self.name))?;
        told.recv().with_context(|| format!("{} is gone", self.name))
    }

    /// Runs a future in this network; it ends when what is returned is dropped.
    ///
    /// # Panics
    /// As the future does.
    pub async fn run<F>(&self, future: F) -> F::Output
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let mut one = JoinSet::new();
        one.spawn_on(future, &self.runtime);
        match one.join_next().await {
            Some(Ok(output)) => output,
            Some(Err(error)) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Some(Err(_)) | None => panic!("{} is gone", self.name),
        }
    }

    /// For tasks that belong into this network.
    pub fn runtime(&self) -> &Handle {
        &self.runtime
    }

    /// Commands of `ip`, each without its first word; the family is the addresses' own.
    fn ip(&self, commands: &[String]) -> Result<()> {
        self.ip_by(Family::V4, commands)
    }

    /// The same where no address says the family.
    fn ip_by(&self, family: Family, commands: &[String]) -> Result<()> {
        let text = commands.join("\n");
        let run = move || -> Result<std::process::Output> {
            let mut ip = Command::new("ip");
            if family == Family::V6 {
                ip.arg("-6");
            }
            let mut ip = ip
                .args(["-batch", "-"])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .context("ip: is iproute2 installed?")?;
            std::io::Write::write_all(&mut ip.stdin.take().context("a pipe")?, text.as_bytes())?;
            Ok(ip.wait_with_output()?)
        };
        let output = self.enter(run)??;
        ensure!(
            output.status.success(),
            "{}: ip {commands:?}: {}",
            self.name,
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(())
    }

    /// A cable to another network: the name of each end.
    fn cable(&self, own: &str, far: &Net, at_far: &str) -> Result<()> {
        let far = far.thread.join("ns/net");
        self.ip(&[format!("link add {own} type veth peer name {at_far} netns {}", far.display())])
    }

    /// Its end of a cable, with addresses of its own.
    fn plug_in(&self, end: &str, (v4, v6): (Option<Ipv4Addr>, Option<Ipv6Addr>)) -> Result<()> {
        let mut commands = vec![format!("link set {end} up")];
        commands.extend(v4.map(|v4| format!("address add {v4}/30 dev {end}")));
        // Nobody else is on a cable: no address need be asked about before it is used (RFC 4862, section 5.4). The one for
        // neighbours (RFC 4861) would else come a moment too late.
        commands.extend(v6.into_iter().flat_map(|v6| {
            let neighbours = format!("fe80::{:x}", v6.segments()[7]);
            [
                format!("address add {v6}/64 dev {end} nodad"),
                format!("address add {neighbours}/64 dev {end} nodad"),
            ]
        }));
        self.ip(&commands)
    }

    fn leads_everywhere(&self, (v4, v6): (Option<Ipv4Addr>, Option<Ipv6Addr>)) -> Result<()> {
        let ways = [v4.map(IpAddr::from), v6.map(IpAddr::from)];
        self.ip(&ways
            .into_iter()
            .flatten()
            .map(|way| format!("route add default via {way}"))
            .collect::<Vec<_>>())
    }
}

/// A volunteer's network: only [`Networks`] makes one, so nobody who needs one can be beside the server.
#[derive(Debug, Clone)]
pub struct Home {
    net: Arc<Net>,
    number: u8,
    only: Option<Family>,
}

impl Home {
    /// Its address of a family that it has.
    pub fn address(&self, family: Family) -> IpAddr {
        match family {
            Family::V4 => Ipv4Addr::new(10, 83, self.number, 2).into(),
            Family::V6 => ula(0x83, self.number.into(), 2).into(),
        }
    }

    /// Addresses of the families that it has.
    fn of_its_families(&self, (v4, v6): (Ipv4Addr, Ipv6Addr)) -> (Option<Ipv4Addr>, Option<Ipv6Addr>) {
        let has = |family| self.only.is_none_or(|only| only == family);
        (has(Family::V4).then_some(v4), has(Family::V6).then_some(v6))
    }

    /// For programs that are to run there.
    pub fn net(&self) -> &Arc<Net> {
        &self.net
    }
}

impl std::ops::Deref for Home {
    type Target = Net;

    fn deref(&self) -> &Net {
        &self.net
    }
}

impl std::fmt::Debug for Net {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name)
    }
}

/// All of them, and the cables between.
#[derive(Debug)]
pub struct Networks {
    /// The machine of the server and its node.
    pub server: Arc<Net>,
    /// The provider's.
    pub provider: Arc<Net>,
    router: Arc<Net>,
    homes: AtomicU8,
}

impl Networks {
    /// Makes them; homes come when volunteers do.
    ///
    /// # Errors
    /// When this machine grants none; says what to do.
    pub fn lay() -> Result<Arc<Self>> {
        let [server, provider, router] =
            ["the server's network", "the provider's network", "the router"].map(Net::new);
        let (server, provider, router) = (server?, provider?, router?);
        router
            .enter(|| -> Result<()> {
                fs::write("/proc/sys/net/ipv4/ip_forward", "1")?;
                fs::write("/proc/sys/net/ipv6/conf/all/forwarding", "1")?;
                Ok(())
            })?
            .context("a network namespace that hands packets on")?;
        router.cable("server", &server, "internet")?;
        let both = |(v4, v6)| (Some(v4), Some(v6));
        router.plug_in("server", both(BEFORE_SERVER))?;
        server.plug_in("internet", both(SERVER))?;
        server.leads_everywhere(both(BEFORE_SERVER))?;
        server.cable("trunk", &provider, "customer")?;
        server.plug_in("trunk", both((TRUNK, ula(0x82, 0, 1))))?;
        provider.plug_in("customer", both((PROVIDER, ula(0x82, 0, 2))))?;
        Ok(Arc::new(Self { server, provider, router, homes: AtomicU8::new(0) }))
    }

    /// A volunteer's home, with a cable to the internet and addresses of both families.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn home(&self) -> Result<Home> {
        self.lay_home(None)
    }

    /// The same; it has addresses and ways of this family alone, so whatever comes or goes does so by it.
    ///
    /// # Errors
    /// As [`Networks::home`].
    pub fn home_of(&self, family: Family) -> Result<Home> {
        self.lay_home(Some(family))
    }

    fn lay_home(&self, only: Option<Family>) -> Result<Home> {
        let number = self.homes.fetch_add(1, Ordering::Relaxed) + 1;
        let home = Home { net: Net::new(&format!("home {number}"))?, number, only };
        let end = format!("home{number}");
        let before = home.of_its_families((router_of(number), ula(0x83, number.into(), 1)));
        self.router.cable(&end, &home, "internet")?;
        self.router.plug_in(&end, before)?;
        let own = (Ipv4Addr::new(10, 83, number, 2), ula(0x83, number.into(), 2));
        home.plug_in("internet", home.of_its_families(own))?;
        home.leads_everywhere(before)?;
        Ok(home)
    }

    /// The router, and a free port of it for this home: a place between a volunteer and the server, by IPv4.
    pub fn on_the_way(&self, home: &Home) -> (Arc<Net>, SocketAddr) {
        (Arc::clone(&self.router), (router_of(home.number), 0).into())
    }

    /// The way of a home lets no UDP through any more, as in many an office: no word is said of it to anybody.
    ///
    /// # Errors
    /// When the router does not take the rule.
    pub fn hold_back_udp(&self, home: &Home) -> Result<()> {
        self.udp(home, "add")
    }

    /// It lets UDP through again.
    ///
    /// # Errors
    /// When the router does not take the rule.
    pub fn let_udp_through(&self, home: &Home) -> Result<()> {
        self.udp(home, "delete")
    }

    fn udp(&self, home: &Home, verb: &str) -> Result<()> {
        for family in [Family::V4, Family::V6] {
            let ways = [format!("iif home{}", home.number), format!("to {}", home.address(family))];
            let rules = ways.map(|way| format!("rule {verb} pref 10 {way} ipproto udp blackhole"));
            self.router.ip_by(family, &rules)?;
        }
        Ok(())
    }

    /// Pulls the cable of a home out at the router, for all that passes.
    ///
    /// # Errors
    /// When the router does not do it.
    pub fn pull(&self, home: &Home) -> Result<()> {
        self.router.ip(&[format!("link set home{} down", home.number)])
    }

    /// Plugs it in again.
    ///
    /// # Errors
    /// When the router does not do it.
    pub fn plug(&self, home: &Home) -> Result<()> {
        let end = format!("home{}", home.number);
        let (_, v6) = home.of_its_families((router_of(home.number), ula(0x83, home.number.into(), 1)));
        let mut commands = vec![format!("link set {end} up")];
        // IPv6 forgets its addresses with the link.
        commands.extend(v6.map(|v6| format!("address replace {v6}/64 dev {end} nodad")));
        self.router.ip(&commands)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::{TcpListener, TcpStream, UdpSocket},
    };

    use super::*;

    const SOON: Duration = Duration::from_millis(500);

    async fn udp_arrives(from: &Net, to: &Net, at: IpAddr) -> bool {
        let receiver = to.run(async move { UdpSocket::bind((at, 0)).await.expect("a port") }).await;
        let address = receiver.local_addr().expect("bound");
        let any = if at.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
        from.run(async move {
            let sender = UdpSocket::bind(any).await.expect("a port");
            let _ = sender.send_to(b"hello", address).await;
        })
        .await;
        to.run(async move { tokio::time::timeout(SOON, receiver.recv(&mut [0; 8])).await.is_ok() }).await
    }

    async fn tcp_arrives(from: &Net, to: &Net, at: IpAddr) -> bool {
        let listener = to.run(async move { TcpListener::bind((at, 0)).await.expect("a port") }).await;
        let address = listener.local_addr().expect("bound");
        let accepted = to.runtime().spawn(async move {
            let (mut near, _) = listener.accept().await.expect("accepted");
            near.write_all(b"hello").await.expect("written");
        });
        let read = from.run(async move {
            let connected = tokio::time::timeout(SOON, TcpStream::connect(address)).await;
            let Ok(Ok(mut far)) = connected else { return false };
            far.read(&mut [0; 8]).await.is_ok_and(|length| length == 5)
        });
        let read = read.await;
        accepted.abort();
        read
    }

    /// This very test is run once more, by a process that may not make networks: it is to fail, and to say why.
    #[test]
    fn where_no_networks_are_granted_a_test_fails_and_says_so() {
        const WITHOUT_RIGHTS: &str = "RINGROUND_WITHOUT_RIGHTS";
        if std::env::var_os(WITHOUT_RIGHTS).is_some() {
            Networks::lay().expect("networks");
            return;
        }
        let name = "networks::tests::where_no_networks_are_granted_a_test_fails_and_says_so";
        let run = Command::new("setpriv")
            .args(["--bounding-set", "-sys_admin", "--inh-caps", "-all", "--"])
            .arg(std::env::current_exe().expect("a program"))
            .args(["--exact", name, "--nocapture"])
            .env(WITHOUT_RIGHTS, "1")
            .output()
            .expect("setpriv: is util-linux installed?");
        let said = String::from_utf8_lossy(&run.stdout) + String::from_utf8_lossy(&run.stderr);
        assert!(!run.status.success() && said.contains("1 failed"), "{said}");
        assert!(said.contains("EPERM") && said.contains(NONE_GRANTED), "{said}");
    }

    #[tokio::test]
    async fn a_home_reaches_the_server_and_no_loopback_and_no_trunk() {
        let networks = Networks::lay().expect("networks");
        let (home, other) = (networks.home().expect("a home"), networks.home().expect("another"));
        for family in [Family::V4, Family::V6] {
            let server = server_address(family);
            assert!(udp_arrives(&home, &networks.server, server).await, "{family:?}");
            assert!(udp_arrives(&networks.server, &home, home.address(family)).await, "{family:?}");
            assert!(tcp_arrives(&home, &networks.server, server).await, "{family:?}");
            assert!(udp_arrives(&home, &other, other.address(family)).await, "{family:?}");
        }
        assert!(!udp_arrives(&home, &networks.server, Ipv4Addr::LOCALHOST.into()).await);
        assert!(!tcp_arrives(&home, &networks.server, Ipv4Addr::LOCALHOST.into()).await);
        assert!(!udp_arrives(&home, &networks.server, TRUNK.into()).await);
        assert!(!udp_arrives(&home, &networks.provider, PROVIDER.into()).await);
        assert!(udp_arrives(&networks.server, &networks.provider, PROVIDER.into()).await);
    }

    #[tokio::test]
    async fn a_home_of_one_family_has_nothing_of_the_other() {
        let networks = Networks::lay().expect("networks");
        for (family, other) in [(Family::V4, Family::V6), (Family::V6, Family::V4)] {
            let home = networks.home_of(family).expect("a home");
            assert!(udp_arrives(&home, &networks.server, server_address(family)).await, "{family:?}");
            assert!(udp_arrives(&networks.server, &home, home.address(family)).await, "{family:?}");
            assert!(!udp_arrives(&home, &networks.server, server_address(other)).await, "{family:?}");
            assert!(!tcp_arrives(&home, &networks.server, server_address(other)).await, "{family:?}");
            let addresses = home.enter(if_addrs::get_if_addrs).expect("there").expect("read");
            let foreign = addresses.iter().map(if_addrs::Interface::ip).filter(|ip| match (other, ip) {
                (Family::V4, IpAddr::V4(ip)) => !ip.is_loopback(),
                (Family::V6, IpAddr::V6(ip)) => !ip.is_loopback() && !ip.is_unicast_link_local(),
                (Family::V4, IpAddr::V6(_)) | (Family::V6, IpAddr::V4(_)) => false,
            });
            assert_eq!(foreign.collect::<Vec<_>>(), Vec::<IpAddr>::new(), "{family:?}");
        }
    }

    #[tokio::test]
    async fn udp_can_be_held_back_alone() {
        let networks = Networks::lay().expect("networks");
        let (home, other) = (networks.home().expect("a home"), networks.home().expect("another"));
        networks.hold_back_udp(&home).expect("held back");
        for family in [Family::V4, Family::V6] {
            let server = server_address(family);
            assert!(!udp_arrives(&home, &networks.server, server).await, "{family:?}");
            assert!(!udp_arrives(&networks.server, &home, home.address(family)).await, "{family:?}");
            assert!(tcp_arrives(&home, &networks.server, server).await, "{family:?}");
            assert!(udp_arrives(&other, &networks.server, server).await, "{family:?}");
        }
        networks.let_udp_through(&home).expect("let through");
        networks.pull(&home).expect("pulled");
        assert!(!tcp_arrives(&home, &networks.server, server_address(Family::V4)).await);
        networks.plug(&home).expect("plugged");
        for family in [Family::V4, Family::V6] {
            // Up to a second passes before an end is told that the other is plugged in.
            let arrives = || udp_arrives(&home, &networks.server, server_address(family));
            crate::child::poll("the cable", Duration::from_secs(3), arrives).await.expect("plugged in");
        }
    }
}
