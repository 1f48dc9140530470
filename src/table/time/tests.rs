use super::*;

fn micros(format: &str, text: &str) -> Option<i64> {
    TimeFormat::new(format).unwrap().parse(text)
}

#[test]
fn reads_what_people_write() {
    // Seconds from Python's datetime.
    let noon = 1_738_324_800 * MICROS;
    for (format, text) in [
        ("iso", "2025-01-31T12:00:00Z"),
        ("iso", "2025-01-31 12:00:00"),
        ("iso", "2025-01-31T12:00"),
        ("iso", "2025-01-31T13:00:00+01:00"),
        ("iso", "2025-01-31T11:30:00.000-0030"),
        ("iso", "2025-01-31 12:00:00 UTC"),
        ("%d/%m/%Y %H:%M", "31/1/2025 12:00"),
        ("%m/%d/%Y %I:%M:%S %p", "01/31/2025 12:00:00 PM"),
        ("%d %b %Y %T", "31 Jan 2025 12:00:00"),
        ("%B %d, %Y %R", "January 31, 2025 12:00"),
        ("%d.%m.%y %H:%M", "31.01.25 12:00"),
        ("%Y%m%d%H%M", "202501311200"),
        ("unix", "1738324800"),
        ("unix_ms", "1738324800000"),
    ] {
        assert_eq!(micros(format, text), Some(noon), "{format} {text}");
    }
    assert_eq!(micros("iso", "1969-12-31T23:59:59.5Z"), Some(-500_000));
    assert_eq!(micros("iso", "2000-02-29"), Some(951_782_400 * MICROS));
}

#[test]
fn refuses_what_is_no_time() {
    for (format, text) in [
        ("iso", "2025-02-30"),
        ("iso", "1900-02-29"),
        ("iso", "2025-1-31"),
        ("iso", "2025-01-31T25:00"),
        ("iso", "2025-01-31x"),
        ("%d/%m/%Y", "31/13/2025"),
        ("%d/%m/%Y", "1/1/25"),
        ("%d/%m/%Y", "1/1/2025 "),
        ("%m/%d/%Y %I:%M %p", "1/1/2025 13:00 PM"),
        ("unix", "1e300"),
    ] {
        assert_eq!(micros(format, text), None, "{format} {text}");
    }
    assert!(TimeFormat::new("%Q").unwrap_err().contains("%Q"));
    assert!(TimeFormat::new("%d/%m %H:%M").unwrap_err().contains("year"));
    assert!(TimeFormat::new("hello").is_err());
    // A lone time of day is valid; `3:2` is a score, not a time.
    assert_eq!(micros("%H:%M", "13:08"), Some((13 * 60 + 8) * 60 * MICROS));
    let clock = TimeFormat::new("%H:%M").unwrap();
    assert!(clock.fits("9:05") && !clock.fits("3:2") && !clock.fits("25:00"));
}

#[test]
fn dates_survive_the_round_trip() {
    let day = TimeFormat::new("%d/%m/%Y %H:%M:%S.%f").unwrap();
    for step in -40_000..40_000 {
        let at = step * (DAY + 3_723_000_001);
        let mut text = String::new();
        day.write(at, &mut text);
        assert_eq!(day.parse(&text), Some(at), "{text}");
        text.clear();
        write_iso(at, &mut text);
        assert_eq!(parse_iso(text.as_bytes()), Some(at), "{text}");
    }
}

#[test]
fn months_are_read_in_the_languages_of_europe() {
    let day = |text: &str| micros("%d %b %Y", text).map(|micros| civil(micros.div_euclid(DAY)).1);
    for (text, month) in [
        ("3 janv. 2024", 1),
        ("3 Feber 2024", 2),
        ("3 MÄRZ 2024", 3),
        ("3 abr 2024", 4),
        ("3 Maggio 2024", 5),
        ("3 juin 2024", 6),
        ("3 juil. 2024", 7),
        ("3 août 2024", 8),
        ("3 Sept. 2024", 9),
        ("3 okt 2024", 10),
        ("3 noviembre 2024", 11),
        ("3 Dez. 2024", 12),
    ] {
        assert_eq!(day(text), Some(month), "{text}");
    }
    for text in ["3 jan.. 2024", "3 listopad 2024", "3 j 2024", "3 . 2024"] {
        assert_eq!(day(text), None, "{text}");
    }
    assert_eq!(micros("%d.%b.%Y", "03.Mai.2024"), micros("iso", "2024-05-03"));
    assert_eq!(micros("%d de %b de %Y", "3 de mayo de 2024"), micros("iso", "2024-05-03"));
}

#[test]
fn a_year_without_its_century_is_none() {
    for (format, text) in [("%d.%m.%Y", "01.02.0026"), ("iso", "0026-02-01"), ("%d.%m.%Y", "01.02.0099")] {
        assert_eq!(micros(format, text), None, "{text}");
    }
    // Default values of programs, and real dates.
    for (format, text) in [("%d.%m.%Y", "01.01.0001"), ("iso", "0001-01-01"), ("%d.%m.%Y", "01.02.0800")] {
        assert!(micros(format, text).is_some(), "{text}");
    }
    assert_eq!(TimeFormat::new("%d.%m.%Y").unwrap().expected(), "a time written like 31.12.2025 (%d.%m.%Y)");
}
