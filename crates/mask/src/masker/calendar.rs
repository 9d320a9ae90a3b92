//! Days and microseconds since 2000-01-01, PostgreSQL's epoch, from and to ISO text.

/// 1970-01-01 in days of PostgreSQL's epoch.
pub(super) const UNIX_EPOCH: i64 = -10_957;
/// Microseconds of a day.
pub(super) const DAY: i64 = 86_400_000_000;

/// Days from 2000-01-01 to a day of the Gregorian calendar.
pub(super) fn days(year: i64, month: i64, day: i64) -> i64 {
    // Years begin in March, so that the leap day is the last of its year, and the months' lengths follow one formula.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * month + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 730_425
}

/// Year, month and day, so many days from 2000-01-01.
pub(super) fn date(days: i64) -> (i64, i64, i64) {
    let days = days + 730_425;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let year = year + era * 400;
    if month < 10 { (year, month + 3, day) } else { (year + 1, month - 9, day) }
}

/// `YYYY-MM-DD` in days.
pub(super) fn parse_date(text: &str) -> Option<i64> {
    let mut parts = text.split('-');
    let (year, month, day) = (number(parts.next()?)?, number(parts.next()?)?, number(parts.next()?)?);
    let valid =
        parts.next().is_none() && (1..=294_276).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day);
    valid.then(|| days(year, month, day))
}

/// `HH:MM:SS` with an optional fraction, in microseconds.
pub(super) fn parse_time(text: &str) -> Option<i64> {
    let (clock, fraction) = text.split_once('.').unwrap_or((text, ""));
    let mut parts = clock.split(':');
    let (hour, minute, second) = (number(parts.next()?)?, number(parts.next()?)?, number(parts.next()?)?);
    let valid = parts.next().is_none() && hour <= 24 && minute < 60 && second <= 60 && fraction.len() <= 6;
    let micros = if fraction.is_empty() { 0 } else { number(&format!("{fraction:0<6}"))? };
    valid.then_some(((hour * 60 + minute) * 60 + second) * 1_000_000 + micros)
}

/// A date, a space or `T`, a time and, if `zoned`, an offset such as `+05:30`: microseconds, in UTC if zoned.
pub(super) fn parse_timestamp(text: &str, zoned: bool) -> Option<i64> {
    let (date, time) = text.split_once([' ', 'T'])?;
    let (time, offset) = match time.rfind(['+', '-']) {
        Some(at) if zoned => (time.get(..at)?, parse_offset(time.get(at..)?)?),
        None if zoned => (time.strip_suffix('Z')?, 0),
        _ => (time, 0),
    };
    parse_date(date)?.checked_mul(DAY)?.checked_add(parse_time(time)?)?.checked_sub(offset)
}

fn parse_offset(text: &str) -> Option<i64> {
    let (sign, text) = if let Some(text) = text.strip_prefix('-') { (-1, text) } else { (1, text.strip_prefix('+')?) };
    let mut parts = text.split(':');
    let hour = number(parts.next()?)?;
    let minute = parts.next().map_or(Some(0), number)?;
    let second = parts.next().map_or(Some(0), number)?;
    (parts.next().is_none() && hour < 24 && minute < 60 && second < 60)
        .then_some(sign * ((hour * 60 + minute) * 60 + second) * 1_000_000)
}

/// Digits only, at most nine.
fn number(text: &str) -> Option<i64> {
    (matches!(text.len(), 1..=9) && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_there_and_back() {
        assert_eq!(days(2000, 1, 1), 0);
        assert_eq!(days(1970, 1, 1), UNIX_EPOCH);
        assert_eq!(days(2024, 2, 29), 8825);
        for day in (-800_000..800_000).step_by(17) {
            let (year, month, day_of_month) = date(day);
            assert_eq!(days(year, month, day_of_month), day);
        }
    }

    #[test]
    fn timestamps_of_one_moment_are_one_number() {
        let utc = parse_timestamp("2026-11-21 01:40:54.5+00", true).unwrap();
        assert_eq!(parse_timestamp("2026-11-21 07:10:54.500+05:30", true), Some(utc));
        assert_eq!(parse_timestamp("2026-11-20 20:40:54.5-05", true), Some(utc));
        assert_eq!(parse_timestamp("2026-11-21 01:40:54.5", false), Some(utc));
        assert_eq!(parse_timestamp("infinity", false), None);
        assert_eq!(parse_timestamp("2026-13-21 01:40:54", false), None);
    }
}
