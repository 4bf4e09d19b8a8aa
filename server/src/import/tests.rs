#![expect(clippy::unwrap_used, reason = "tests")]

use dialler::{
    CampaignRules,
    hours::{Hours, Region, zone},
};
use protocol::ids::CampaignId;

use super::*;

/// Tuesday 14 July 2026, 10:00 in London.
const NOW: i64 = 1_784_019_600_000;

fn openings(abroad: bool, time_zone: &str) -> Openings {
    let campaign = CampaignRules {
        id: CampaignId::new(uuid::Uuid::nil()),
        zone: zone(time_zone).unwrap(),
        abroad,
        region: Region::EnglandAndWales,
        hours: Hours::Rules,
        spacing_ms: 7_200_000,
        attempts_allowed: 3,
        ring_timeout_ms: 25_000,
        caller_id: Number::from_e164("+442079460000").unwrap(),
        pause: None,
        callable: true,
    };
    Openings::from(campaign, "GB", NOW)
}

/// A list for people, from London.
fn import_for_people(list: &str, abroad: bool) -> (Vec<NewContact>, Report) {
    let mut importer = Importer::new("list.csv", openings(abroad, "Europe/London"), TrunkKind::Sip);
    importer.feed(list.as_bytes()).unwrap();
    let (kept, mut report) = importer.finish().unwrap();
    report.close();
    (kept, report)
}

fn import_in_pieces(bytes: &[u8], piece: usize) -> Result<(Vec<NewContact>, Report), BadFile> {
    let openings = openings(false, "Europe/London");
    let mut importer = Importer::new("list.csv", openings, TrunkKind::Simulated);
    for piece in bytes.chunks(piece.max(1)) {
        importer.feed(piece)?;
    }
    importer.finish()
}

fn import(bytes: &[u8]) -> Result<(Vec<NewContact>, Report), BadFile> {
    import_in_pieces(bytes, 65_536)
}

fn refusals(report: &Report) -> Vec<(u64, &str, &str)> {
    report.rows.iter().map(|row| (row.line, row.column.as_str(), row.why.as_str())).collect()
}

#[test]
fn a_plain_list_is_kept_whole_without_a_final_newline() {
    let (kept, report) = import(
        b"name,phone,form_of_address,flag,context,reference\r\n\
          Margaret Hollis,07700 900001,Mrs Hollis,Hard of hearing,\"Lives alone|Son: Tom\",A1\r\n\
          Terence Whitlow,+447700900002,,,,",
    )
    .unwrap();
    assert_eq!((report.kept, report.refused, report.warned), (2, 0, 2));
    assert_eq!(kept[0].number.e164(), "+447700900001");
    assert_eq!(kept[0].context, "Lives alone\nSon: Tom");
    assert_eq!(kept[0].flag.as_deref(), Some("Hard of hearing"));
    assert_eq!((kept[1].line, kept[1].flag.as_deref(), kept[1].reference.as_deref()), (3, None, None));
}

#[test]
fn a_byte_order_mark_semicolons_and_capitals_are_fine() {
    let (kept, report) =
        import("\u{feff}Phone;Name;Street\n07700900003;\"Hollis; Margaret\";Mill Lane\n".as_bytes()).unwrap();
    assert_eq!(kept[0].name, "Hollis; Margaret");
    assert_eq!(report.ignored_columns, ["street"]);
}

#[test]
fn each_bad_row_names_line_column_and_reason_and_good_rows_are_kept() {
    let long = "x".repeat(1_000_000);
    let mut file = Vec::new();
    file.extend_from_slice(b"name,phone,flag\n");
    file.extend_from_slice(b"\xe9lodie,07700900010,\n"); // 2: Latin-1
    file.extend_from_slice(b"Ann,,\n\n"); // 3, and a blank line 4
    file.extend_from_slice(b"Bea,not a number,\n"); // 5
    file.extend_from_slice(b"Cal,07700900011,one,two\n"); // 6
    file.extend_from_slice(format!("Dee,07700900012,{long}\n").as_bytes()); // 7
    file.extend_from_slice(b"\"Eve\nand Eva\",07700900013,\n"); // 8 and 9
    file.extend_from_slice(b"Fay,07700 900 013,\n"); // 10: Eve's number
    file.extend_from_slice(b",07700900014,\n"); // 11
    file.extend_from_slice(b"Gus,020 8366 1177,\n"); // 12: a real number
    file.extend_from_slice(b"Hal\n"); // 13
    file.extend_from_slice(b"Ida,07700900015,"); // 14
    let (kept, report) = import(&file).unwrap();
    assert_eq!(
        kept.iter().map(|c| (c.line, c.name.as_str())).collect::<Vec<_>>(),
        [(8, "Eve and Eva"), (14, "Ida")]
    );
    assert_eq!(
        refusals(&report),
        [
            (2, "name", "not UTF-8 at its character 1; save the file as \"CSV UTF-8\""),
            (3, "phone", "empty"),
            (
                5,
                "phone",
                "not a telephone number: there are letters in it. Write digits only, like 07700 900123"
            ),
            (
                6,
                "4",
                "has 4 fields, the first line has 3; a comma inside a field needs quotation marks around it"
            ),
            (7, "flag", "longer than 200 characters; is a quotation mark missing?"),
            (10, "phone", "the same number as in line 8"),
            (11, "name", "empty"),
            (
                12,
                "phone",
                "this server's telephone network is simulated: only +44 7700 900000 to 900999 can be rung"
            ),
            (13, "phone", "empty"),
        ]
    );
}

#[test]
fn an_unclosed_quotation_mark_says_so() {
    let mut file = b"name,phone\nAnn,07700900010\n\"Bea,07700900011\n".to_vec();
    for n in 0..2_000 {
        file.extend_from_slice(format!("Cal,0770090{n:04}\n").as_bytes());
    }
    let (kept, report) = import(&file).unwrap();
    assert_eq!(kept.len(), 1);
    let why = "longer than 200 characters; is a quotation mark missing? Lines 3 to 2003 were read as one row";
    assert_eq!(refusals(&report), [(3, "name", why)]);
}

#[test]
fn a_short_field_without_its_closing_mark_names_the_lines_it_took() {
    let (kept, report) =
        import(b"name,phone\nAnn,07700900010\nBea,\"07700900011\nCal,07700900012\nDee,07700900013\n")
            .unwrap();
    assert_eq!(kept.len(), 1);
    let [(3, "phone", why)] = refusals(&report)[..] else { panic!("{report:?}") };
    assert!(why.ends_with("; is a quotation mark missing? Lines 3 to 5 were read as one row"), "{why}");

    // A long field takes others' rows and is still good.
    let (kept, report) = import(
        b"phone,name,context\r\n07700900010,Ann,\"Lives alone\r\n07700900011,Bea,Has a dog\r\n07700900012,Cal,",
    )
    .unwrap();
    assert_eq!((kept.len(), report.warned), (1, 1));
    assert_eq!(
        report.warnings[0].why,
        "fields of several lines; is a quotation mark missing? Lines 2 to 4 were read as one row"
    );
}

#[test]
fn tabs_separate_too() {
    let (kept, report) = import(b"name\tphone\tflag\nAnn, of Bow\t07700900010\tDeaf\n").unwrap();
    assert_eq!(
        (kept[0].name.as_str(), kept[0].flag.as_deref(), report.refused),
        ("Ann, of Bow", Some("Deaf"), 0)
    );
}

#[test]
fn a_number_that_may_cost_more_is_kept_with_a_doubt() {
    let (kept, report) =
        import_for_people("name,phone\nAnn,09061234567\nBea,020 7219 3000\nCal,01624 612345\n", false);
    assert_eq!(kept.len(), 3);
    let doubts: Vec<(u64, &str)> = report.warnings.iter().map(|row| (row.line, &row.why[..9])).collect();
    assert_eq!(doubts, [(2, "a premium"), (4, "not a num")]);
}

#[test]
fn letters_never_become_digits() {
    let list = "name,phone\r\nAnn,07700 900TBA\r\nBea,07700 9001O3\r\nCy,020 7946 0TBA\r\nDee,07700 900 16x\r\n\
                Eve,tel 07700 900017\r\nFay,07700 900018 ext 5\r\n";
    for (kept, report) in [import(list.as_bytes()).unwrap(), import_for_people(list, true)] {
        let kept: Vec<_> = kept.iter().map(|c| (c.name.as_str(), c.number.e164())).collect();
        assert_eq!(kept, [("Eve", "+447700900017")]);
        let lines: Vec<(u64, &str)> = report.rows.iter().map(|row| (row.line, &row.why[..22])).collect();
        let letters = "not a telephone number";
        assert_eq!(
            lines,
            [(2, letters), (3, letters), (4, letters), (5, letters), (7, "has an extension; only")]
        );
    }
}

#[test]
fn one_number_in_eight_spellings_is_one_contact() {
    let (kept, report) = import(
        "name,phone\nA,07700 900025\nB,+44 (0)7700 900025\nC,447700900025\nD,0044 7700 900025\nE,7700900025\n\
         F,tel:+44-7700-900025\nG,０７７００９０００２５\nH,\u{202a}+44 7700 900025\u{202c}\n"
            .as_bytes(),
    )
    .unwrap();
    assert_eq!((kept.len(), kept[0].number.e164()), (1, "+447700900025"));
    let same = "the same number as in line 2";
    assert_eq!(refusals(&report), [3, 4, 5, 6, 7, 8, 9].map(|line| (line, "phone", same)));
}

const ABROAD: &str = "name,phone\nAnn Bell,+1 212 555 0123\nBea,020 7946 0123\nCy,+1 916 555 0123\n\
                      Dee,+61 2 5550 0123\nEve,+1 212 555 0124\nFay,+64 9 300 1234\nGus,+8816 1234 5678\n";

#[test]
fn numbers_abroad_are_refused_unless_the_campaign_says_so() {
    let (kept, report) = import_for_people(ABROAD, false);
    assert_eq!(kept.iter().map(|c| c.name.as_str()).collect::<Vec<_>>(), ["Bea"]);
    assert_eq!((report.refused, report.abroad.len()), (6, 0));
    let why = "a number abroad: this campaign rings nobody there. A campaign with abroad = true does";
    assert_eq!(refusals(&report)[0], (2, "phone", why));
}

#[test]
fn the_report_says_when_whom_abroad_is_rung_and_refuses_where_it_is_never_time() {
    let (kept, report) = import_for_people(ABROAD, true);
    assert_eq!(
        kept.iter().map(|c| c.name.as_str()).collect::<Vec<_>>(),
        ["Ann Bell", "Bea", "Cy", "Dee", "Eve"]
    );
    let hour = 3_600_000;
    let group = |zones: &str, opens_at, lines: &[u64]| Abroad {
        zones: zones.into(),
        opens_at,
        rows: lines.len() as u64,
        lines: lines.to_vec(),
    };
    assert_eq!(
        report.abroad,
        [
            group("America/New_York", NOW + 9 * hour / 2, &[2, 6]), // 09:30 there
            group("America/Los_Angeles", NOW + 15 * hour / 2, &[4]),
            group("Australia/Sydney", NOW, &[5]),
        ]
    );
    let [(7, "phone", far), (8, "phone", nowhere)] = refusals(&report)[..] else { panic!("{report:?}") };
    assert!(far.contains("Pacific/Auckland") && far.contains("time_zone"), "{far}");
    assert!(nowhere.starts_with("a satellite's number"), "{nowhere}");
    assert_eq!(report.warned, 0, "one line for each set of zones, not one for each row");

    // Nor is somebody at home rung by a campaign whose own time is never theirs.
    let mut importer = Importer::new("list.csv", openings(false, "Pacific/Auckland"), TrunkKind::Sip);
    importer.feed(b"name,phone\nBea,020 7946 0123\n").unwrap();
    let (kept, report) = importer.finish().unwrap();
    let [(2, "phone", why)] = refusals(&report)[..] else { panic!("{report:?}") };
    assert!(kept.is_empty() && why.contains("Europe/London"), "{why}");

    // From there it is rung.
    let mut importer = Importer::new("list.csv", openings(true, "Pacific/Auckland"), TrunkKind::Sip);
    importer.feed(b"name,phone\nFay,+64 9 300 1234\n").unwrap();
    assert_eq!(importer.finish().unwrap().0.len(), 1);
}

#[test]
fn a_file_that_is_no_list_is_refused_whole() {
    let utf16: Vec<u8> =
        [0xff, 0xfe].into_iter().chain("name,phone\n".bytes().flat_map(|b| [b, 0])).collect();
    assert_eq!(import(&utf16).unwrap_err(), BadFile::Utf16);
    assert_eq!(import(b"").unwrap_err(), BadFile::Empty);
    assert_eq!(import(b"n\xe4me,phone\n").unwrap_err(), BadFile::NotUtf8(2));
    assert_eq!(import(b"phone,name,phone\n").unwrap_err(), BadFile::ColumnTwice("phone"));
    assert_eq!(import(&[b'x'; 1_000_000]).unwrap_err(), BadFile::HeaderTooLong);
    assert!(matches!(
        import(b"name,tel\nAnn,07700900010\n").unwrap_err(),
        BadFile::MissingColumn { missing: "phone", found } if found == "\"name\", \"tel\""
    ));
}

#[test]
fn a_first_line_alone_keeps_nobody() {
    let (kept, report) = import(b"name,phone").unwrap();
    assert_eq!((kept.len(), report.refused), (0, 0));
}

proptest::proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..400), piece in 1..50_usize) {
        let _ = import_in_pieces(&bytes, piece);
        let mut list = b"name,phone\n".to_vec();
        list.extend_from_slice(&bytes);
        let _ = import_in_pieces(&list, piece);
    }

    #[test]
    fn the_pieces_a_file_comes_in_make_no_difference(text in "[a-z07,;\"\\r\\n\u{e9}]{0,300}", piece in 1..40_usize) {
        let file = format!("name,phone,flag\n{text}");
        let (kept, report) = import_in_pieces(file.as_bytes(), piece).unwrap();
        let (kept_whole, report_whole) = import(file.as_bytes()).unwrap();
        proptest::prop_assert_eq!(kept, kept_whole);
        proptest::prop_assert_eq!(report, report_whole);
    }

    #[test]
    fn every_row_is_kept_or_refused(numbers in proptest::collection::vec(0..1_000_u32, 0..60)) {
        let rows: String = numbers.iter().map(|n| format!("Ann,07700900{n:03}\n")).collect();
        let (kept, report) = import(format!("name,phone\n{rows}").as_bytes()).unwrap();
        proptest::prop_assert_eq!(kept.len() as u64 + report.refused, numbers.len() as u64);
        let distinct: std::collections::BTreeSet<_> = numbers.iter().collect();
        proptest::prop_assert_eq!(kept.len(), distinct.len());
    }
}
