use proptest::prelude::*;

use super::*;

#[test]
fn a_number_reads_the_same_in_every_way_of_writing_it() {
    for text in [
        "07700 900123",
        "+44 7700 900123",
        "(07700) 900-123",
        "0044 7700 900123",
        "00 44 7700 900123",
        " 07700900123 ",
        "447700900123",
        "7700900123",
        "+44 (0)7700 900123",
        "+44 (07700) 900123",
        "+4407700900123",
        "(+44) 7700 900123",
        "tel:+44-7700-900123",
        "tel 07700 900123",
        "Tel.: 07700 900123",
        "TEL07700900123",
        "07700.900.123",
        "07700-900-123",
        "07700\u{2011}900\u{2013}123",
        "07700\u{a0}900\u{2009}123\u{a0}",
        "０７７００９００１２３",
        "＋４４ ７７００ ９００１２３",
        "\u{202a}+44 7700 900123\u{202c}",
        "\u{feff}07700\u{200b}900123",
        "'07700 900123",
        "\u{2019}07700 900123",
        "=\"07700900123\"",
    ] {
        let read = read(text, "GB-SCT").unwrap_or_else(|why| panic!("{text}: {why}"));
        assert_eq!(read.number.e164(), "+447700900123", "{text}");
        assert!(read.drama && !read.abroad, "{text}");
    }
    assert!(!read("020 8366 1177", "GB").expect("in use").drama);
    // Ofcom's other numbers for drama.
    for text in ["020 7946 0000", "0113 496 0999", "01632 960001", "1632960001", "+441632960999"] {
        assert!(read(text, "GB").is_ok(), "{text}");
    }
}

#[test]
fn a_spreadsheet_that_ate_the_first_0_has_lost_nothing() {
    for (text, number) in [("7400123456", "+447400123456"), ("2072193000", "+442072193000")] {
        assert_eq!(read(text, "GB").expect(text).number.e164(), number);
    }
}

#[test]
fn what_may_cost_more_is_known() {
    for (text, cost) in [
        ("09061234567", Some(Cost::Premium)),
        ("+979 1 2345 6789", Some(Cost::Premium)),
        ("0871 234 5678", Some(Cost::Premium)),
        ("07797 712345", Some(Cost::Islands)), // Jersey
        ("01624 612345", Some(Cost::Islands)), // Isle of Man
        ("+33 1 42 68 53 00", None),
        ("020 7219 3000", None),
        ("07700 900123", None),
        ("07400 123456", None),
        ("0800 1111", None),
        ("0330 123 4567", None),
    ] {
        assert_eq!(read(text, "GB-ENG").expect(text).cost, cost, "{text}");
    }
}

#[test]
fn another_country_is_abroad() {
    for (text, abroad) in [
        ("+33 1 42 68 53 00", true),
        ("+1 212 555 0123", true),
        ("+61 2 5550 0123", true),
        ("+8816 1234 5678", true),
        ("+44 7797 712345", false),
        ("020 7219 3000", false),
    ] {
        assert_eq!(read(text, "GB").expect(text).abroad, abroad, "{text}");
    }
}

#[test]
fn what_cannot_be_rung_says_why() {
    use NotANumber as No;
    for (text, why) in [
        ("", No::Empty),
        ("'", No::Empty),
        ("\u{202a}\u{202c}", No::Empty),
        ("077", No::TooShort),
        ("12345678", No::TooShort),
        ("118118", No::TooShort),
        ("999", No::TooShort),
        ("07700 900123 900124 900125", No::TooLong),
        ("07700 900123 020 7946 0123", No::TooLong),
        ("+999 7700 900123", No::Country),
        // Digits that nobody has, as far as is known.
        ("01022026", No::NotInUse),
        ("0770090013", No::NotInUse),
        ("07700 901234", No::NotInUse),
        ("+1 111 555 0123", No::NotInUse),
        // Letters, from real lists.
        ("Margaret", No::Letters),
        ("n/a", No::Letters),
        ("07700 900TBA", No::Letters),
        ("07700 9001O3", No::Letters),
        ("020 7946 0TBA", No::Letters),
        ("07700 900 16x", No::Letters),
        ("020 7219 3TBA", No::Letters),
        ("0113 496 0ask", No::Letters),
        ("07400 123 NEW", No::Letters),
        ("07400 123456 or", No::Letters),
        ("07400 123457 mob", No::Letters),
        ("07400 123458 (h)", No::Letters),
        ("h 07400 123459", No::Letters),
        ("mobile: 07400 123460", No::Letters),
        ("07400 123461 (ask for Bob)", No::Letters),
        ("+44 7400 12346two", No::Letters),
        ("o7400 123463", No::Letters),
        ("l7400 123465", No::Letters),
        ("07400l23466", No::Letters),
        ("telephone 07700 900123", No::Letters),
        ("tel", No::Empty),
        ("tel:+447700900123;phone-context=example", No::Letters),
        ("SW1A 1AA 020", No::Letters),
        ("AB123456C", No::Letters),
        ("０７７００ ９００ＴＢＡ", No::Letters),
        ("07700 900128 or 07700 900129", No::Letters),
        ("07700 900133 - mornings", No::Letters),
        // Dates, sums, several numbers.
        ("01/02/2026", No::Date),
        ("2026-01-31", No::Date),
        ("31.12.1954", No::Date),
        ("1/2/26", No::Date),
        ("4.47700E+11", No::Calculated),
        ("4.477009E+11", No::Calculated),
        ("4,47700900043E+11", No::Calculated),
        ("7.700900043e+09", No::Calculated),
        ("7700900134.0", No::Calculated),
        ("447700900135.0", No::Calculated),
        ("447700900135,00", No::Calculated),
        ("07700 900123 / 020 7946 0123", No::Several),
        ("07700 900124/07700 900125", No::Several),
        ("07700 900126, 07700 900127", No::Several),
        ("07700900130;07700900131", No::Several),
        ("07700900130 +447700900131", No::Several),
        ("0", No::NotOne),
        ("07700 900 123 *", No::NotOne),
        ("()", No::NotOne),
        ("-07700 900123", No::NotOne),
        ("07700 ٩٠٠123", No::NotOne),
        ("\u{202e}07700 900123", No::NotOne),
        // Extensions.
        ("020 7946 0000 ext. 12", No::Extension),
        ("07700 900018 ext 5", No::Extension),
        ("07700 900123 x12", No::Extension),
        ("07700 900124x12", No::Extension),
        ("07700 900125 extn 12", No::Extension),
        ("07700 900126#12", No::Extension),
        ("07700 900127;ext=12", No::Extension),
        ("07700 900128,12", No::Extension),
    ] {
        assert_eq!(read(text, "GB"), Err(why), "{text}");
    }
    assert!(read("00000000000", "GB").is_err());
    // Right by their form, and possibly somebody's: nobody can tell.
    for text in ["07777 777777", "01234 567890"] {
        assert!(read(text, "GB").is_ok(), "{text}");
    }
}

#[test]
fn what_the_library_would_rewrite_is_refused() {
    // 0 11 15 .. of Buenos Aires is dialled as +54 9 11 .. from abroad: digits that nobody wrote.
    assert_eq!(read("011 15 2345 6789", "AR"), Err(NotANumber::NotOne));
    assert!(read("+54 9 11 2345 6789", "GB").is_ok());
}

/// A text as people write numbers, and worse.
fn text() -> impl Strategy<Value = String> {
    let digits = "[0-9]{2,12}";
    let start = prop::sample::select(vec![
        "",
        "0",
        "07700 900",
        "+44 ",
        "0044",
        "+1 ",
        "+61 ",
        "tel:",
        "tel ",
        "(0",
        "'",
    ]);
    let between = prop::sample::select(vec![
        "", " ", "-", ".", ")", "/", "x", "O", "l", "a", "A", "é", "ext", ",", "٣",
    ]);
    (start, digits, between, "[0-9]{0,7}", "[a-zA-Z .]{0,3}")
        .prop_map(|(a, b, c, d, e)| format!("{a}{b}{c}{d}{e}"))
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "[-+0-9() .;extA-Z\\PC]{0,70}") {
        let _ = read(&text, "GB");
    }

    /// The country's rule may leave out what is dialled before a number, and nothing else.
    #[test]
    fn a_number_has_the_digits_that_were_written(text in text(), country in prop::sample::select(vec!["GB", "US", "AU"])) {
        let Ok(read) = read(&text, country) else { return Ok(()) };
        let written: String = text.chars().filter(char::is_ascii_digit).collect();
        let number = read.number.e164().trim_start_matches('+');
        let after_the_code = (1..=3).any(|code| written.ends_with(&number[code..]));
        prop_assert!(after_the_code && written.len() <= number.len() + 4, "{} from {:?}", number, text);
    }

    #[test]
    fn letters_are_never_digits(text in text()) {
        let lower = text.trim().to_lowercase();
        let rest = lower.strip_prefix("tel").unwrap_or(&lower);
        if rest.contains(char::is_alphabetic) {
            prop_assert!(read(&text, "GB").is_err(), "{}", text);
        }
    }

    #[test]
    fn one_wrong_letter_in_a_good_number_refuses_it(at in 0..11_usize, letter in "[a-zA-Z]") {
        let mut text = "07400123456".to_owned();
        text.replace_range(at..=at, &letter);
        prop_assert!(read(&text, "GB").is_err(), "{}", text);
    }
}
