//! What people and spreadsheets put into a field for a telephone number: only its digits and a plus in front are
//! taken, and nothing is guessed. A letter never becomes a digit.

use std::fmt;

use super::NotANumber;

/// The longest field that is looked at, characters.
const LONGEST: usize = 60;

/// A text that can be nothing but a telephone number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Written {
    plus: bool,
    pub(super) digits: String,
}

impl fmt::Display for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.plus { "+" } else { "" }, self.digits)
    }
}

impl Written {
    pub(super) fn read(text: &str) -> Result<Self, NotANumber> {
        if text.contains(turns_digits_around) {
            return Err(NotANumber::NotOne);
        }
        let text: String = text.chars().filter(|c| !is_invisible(*c)).map(plain).collect();
        let number = without_tel(without_text_mark(text.trim())).trim();
        if number.is_empty() {
            return Err(NotANumber::Empty);
        }
        if number.len() > LONGEST {
            return Err(NotANumber::TooLong);
        }
        if is_date(number) {
            return Err(NotANumber::Date);
        }
        if is_calculated(number) {
            return Err(NotANumber::Calculated);
        }
        let international = number.strip_prefix('+').or_else(|| number.strip_prefix("(+"));
        let rest = international.unwrap_or(number);
        let begins = rest.trim_start_matches([' ', '(']);
        if !begins.starts_with(|c: char| c.is_ascii_digit())
            || rest.contains(|c: char| !c.is_ascii_digit() && !" -.()".contains(c))
        {
            return Err(why_not(number));
        }
        let digits = rest.chars().filter(char::is_ascii_digit).collect();
        Ok(Self { plus: international.is_some(), digits })
    }
}

/// Full-width signs, all sorts of spaces, dashes and apostrophes, as the keyboard has them.
fn plain(c: char) -> char {
    match c {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c),
        '\u{2010}'..='\u{2015}' | '\u{2212}' => '-',
        '\u{2018}' | '\u{2019}' | '\u{02bc}' => '\'',
        _ if c.is_whitespace() => ' ',
        _ => c,
    }
}

/// What a copied contact card brings along: marks of direction, joiners, spaces of no width.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{202a}' | '\u{202c}' | '\u{202d}'
        | '\u{2060}'..='\u{2064}' | '\u{2066}' | '\u{2068}' | '\u{2069}' | '\u{feff}')
}

/// Marks behind which the eye reads another number than the file holds.
fn turns_digits_around(c: char) -> bool {
    matches!(c, '\u{202b}' | '\u{202e}' | '\u{2067}')
}

/// `'07700 900123` and `="07700900123"`: how spreadsheets are kept from calculating.
fn without_text_mark(text: &str) -> &str {
    let formula = text.strip_prefix("=\"").and_then(|rest| rest.strip_suffix('"'));
    formula.or_else(|| text.strip_prefix('\'')).unwrap_or(text).trim()
}

/// `tel:+44 7700 900123`, `Tel. 07700 900123`.
fn without_tel(text: &str) -> &str {
    let Some((tel, rest)) = text.split_at_checked(3) else { return text };
    if !tel.eq_ignore_ascii_case("tel") {
        return text;
    }
    rest.strip_prefix('.').unwrap_or(rest).trim_start_matches([':', ' '])
}

/// `31.12.1954`, `2026-01-31`, `1/2/26`: shorter than any number with its area code.
fn is_date(text: &str) -> bool {
    ['/', '-', '.'].into_iter().any(|separator| {
        let parts: Option<Vec<usize>> =
            text.split(separator).map(|part| is_digits(part).then_some(part.len())).collect();
        matches!(parts.as_deref(), Some([4, 1..=2, 1..=2] | [1..=2, 1..=2, 2 | 4]))
    })
}

/// `4.477009E+11`, `7700900134.0`: a spreadsheet took it for an amount.
fn is_calculated(text: &str) -> bool {
    let shortened = text.split_once(['E', 'e']).is_some_and(|(amount, power)| {
        let power = power.trim_start_matches(['+', '-']);
        is_digits(power) && is_digits(&amount.replacen([',', '.'], "", 1))
    });
    let decimal = text.split_once(['.', ',']).is_some_and(|(whole, decimals)| {
        whole.len() > 4 && is_digits(whole) && matches!(decimals, "0" | "00")
    });
    shortened || decimal
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

/// What a text is that has more than a number's signs in it.
fn why_not(text: &str) -> NotANumber {
    if has_extension(text) {
        NotANumber::Extension
    } else if text.contains(char::is_alphabetic) {
        NotANumber::Letters
    } else if text.contains(['/', ',', ';', '|', '&']) || text.rfind('+').is_some_and(|at| at > 1) {
        NotANumber::Several
    } else {
        NotANumber::NotOne
    }
}

/// `x12`, `ext. 12`, `;ext=12`, `#12`, `,12`, behind a number.
fn has_extension(text: &str) -> bool {
    const LONGEST_EXTENSION: usize = 6;
    let head = text.trim_end_matches(|c: char| c.is_ascii_digit());
    if !(1..=LONGEST_EXTENSION).contains(&(text.len() - head.len())) {
        return false;
    }
    let head = head.trim_end_matches([' ', '.', ':', '=']).to_ascii_lowercase();
    let number = ["extension", "extn", "ext", "x", "#", ","].iter().find_map(|sign| head.strip_suffix(sign));
    number.is_some_and(|number| {
        number.bytes().filter(u8::is_ascii_digit).count() > LONGEST_EXTENSION
            && !number.ends_with(char::is_alphabetic)
    })
}
