//! `hours: "Mon-Fri 08:00-18:00 Europe/Berlin"`: a daily window on the wall clock of a place.

use std::fmt;

use jiff::Timestamp;
use jiff::civil::Weekday;
use jiff::tz::{TimeZone, TimeZoneDatabase};

/// A window that opens on some days at one minute and closes at another, on the same day or the next.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Hours {
    /// On which days it opens, Monday first.
    days: [bool; 7],
    /// Minute of the day, inclusive.
    from: u16,
    /// Minute of the day, exclusive; not after `from` means the next day.
    to: u16,
    zone: TimeZone,
    text: Box<str>,
}

const MINUTES_PER_DAY: u16 = 24 * 60;

const FORM: &str = "write it as \"08:00-18:00 Europe/Berlin\" or \"Mon-Fri 08:00-18:00 UTC\"";

impl Hours {
    /// Reads one. Time zones come from the bundled database, so that the answer is the same on every machine.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let (days, window, zone) = match words.as_slice() {
            [window, zone] => (None, *window, *zone),
            [days, window, zone] => (Some(*days), *window, *zone),
            _ => {
                return Err(format!("`{text}` is not a daily window with a time zone: {FORM}"));
            }
        };
        let (from, to) = window
            .split_once('-')
            .and_then(|(from, to)| Some((minute(from)?, minute(to)?)))
            .ok_or_else(|| format!("`{window}` is not a window of hours: {FORM}"))?;
        if from == MINUTES_PER_DAY {
            return Err("a window cannot open at 24:00: write 00:00".to_owned());
        }
        if from == to {
            return Err(format!("`{window}` opens and closes at the same minute: write 00:00-24:00 for the whole day"));
        }
        let zone = TimeZoneDatabase::bundled()
            .get(zone)
            .map_err(|_| format!("`{zone}` is not a time zone: use a name such as Europe/Berlin or UTC"))?;
        Ok(Self { days: days.map_or(Ok([true; 7]), parse_days)?, from, to, zone, text: text.into() })
    }

    /// Whether the window is open. A window over midnight belongs to the day on which it opened.
    pub(crate) fn contains(&self, now: Timestamp) -> bool {
        let local = now.to_zoned(self.zone.clone());
        let minute = u16::from(local.hour().unsigned_abs()) * 60 + u16::from(local.minute().unsigned_abs());
        let opens_on = |day: Weekday| usize::from(day.to_monday_zero_offset().unsigned_abs());
        let today = self.days.get(opens_on(local.weekday())) == Some(&true);
        if self.from < self.to {
            return today && self.from <= minute && minute < self.to;
        }
        let yesterday = self.days.get(opens_on(local.weekday().previous())) == Some(&true);
        (today && self.from <= minute) || (yesterday && minute < self.to)
    }
}

impl fmt::Display for Hours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn minute(text: &str) -> Option<u16> {
    let (hours, minutes) = text.split_once(':')?;
    let two = |digits: &str| {
        (digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit()))
            .then(|| digits.parse::<u16>().ok())
            .flatten()
    };
    let (hours, minutes) = (two(hours)?, two(minutes)?);
    match (hours, minutes) {
        (0..=23, 0..=59) => Some(hours * 60 + minutes),
        (24, 0) => Some(MINUTES_PER_DAY),
        _ => None,
    }
}

/// `Mon-Fri`, `Sat,Sun`, `Fri-Mon`.
fn parse_days(text: &str) -> Result<[bool; 7], String> {
    const NAMES: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
    let day = |name: &str| {
        NAMES.iter().position(|known| known.eq_ignore_ascii_case(name)).ok_or_else(|| {
            format!("`{name}` is not a day: use Mon, Tue, Wed, Thu, Fri, Sat, Sun, as in Mon-Fri or Sat,Sun")
        })
    };
    let mut days = [false; 7];
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (day(first)?, day(last)?);
        let length = (last + 7 - first) % 7;
        for step in 0..=length {
            if let Some(slot) = days.get_mut((first + step) % 7) {
                *slot = true;
            }
        }
    }
    Ok(days)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(window: &str, at: &str) -> bool {
        Hours::parse(window).unwrap().contains(at.parse().unwrap())
    }

    #[test]
    fn a_day_in_berlin_follows_daylight_saving() {
        let window = "08:00-18:00 Europe/Berlin";
        // Winter: UTC+1.
        assert!(!open(window, "2026-01-15T06:59:59Z"));
        assert!(open(window, "2026-01-15T07:00:00Z"));
        assert!(open(window, "2026-01-15T16:59:59Z"));
        assert!(!open(window, "2026-01-15T17:00:00Z"));
        // Summer: UTC+2.
        assert!(open(window, "2026-07-15T06:00:00Z"));
        assert!(!open(window, "2026-07-15T16:00:00Z"));
        // The day of the change: 02:00 becomes 03:00 on 29 March 2026.
        assert!(!open("02:00-03:00 Europe/Berlin", "2026-03-29T00:59:59Z"));
        assert!(!open("02:00-03:00 Europe/Berlin", "2026-03-29T01:00:00Z"));
        // And the hour that comes twice, on 25 October 2026, is open twice.
        assert!(open("02:00-03:00 Europe/Berlin", "2026-10-25T00:30:00Z"));
        assert!(open("02:00-03:00 Europe/Berlin", "2026-10-25T01:30:00Z"));
    }

    #[test]
    fn over_midnight_belongs_to_the_day_it_opened() {
        // 2026-01-16 is a Friday.
        let window = "Fri 22:00-06:00 UTC";
        assert!(!open(window, "2026-01-16T05:00:00Z"));
        assert!(open(window, "2026-01-16T22:00:00Z"));
        assert!(open(window, "2026-01-17T05:59:59Z"));
        assert!(!open(window, "2026-01-17T06:00:00Z"));
        assert!(!open(window, "2026-01-17T23:00:00Z"));
        assert!(open("22:00-00:00 UTC", "2026-01-17T23:59:59Z"));
        assert!(!open("22:00-00:00 UTC", "2026-01-18T00:00:00Z"));
    }

    #[test]
    fn days() {
        assert!(open("Mon-Fri 00:00-24:00 UTC", "2026-01-16T23:59:59Z"));
        assert!(!open("Mon-Fri 00:00-24:00 UTC", "2026-01-17T12:00:00Z"));
        assert!(open("Sat,sun 00:00-24:00 UTC", "2026-01-18T12:00:00Z"));
        assert!(open("Fri-Mon 00:00-24:00 UTC", "2026-01-19T12:00:00Z"));
        assert!(!open("Fri-Mon 00:00-24:00 UTC", "2026-01-20T12:00:00Z"));
    }

    #[test]
    fn wrong_windows_say_what_to_write() {
        for (text, part) in [
            ("08:00-18:00", "with a time zone"),
            ("8-18 UTC", "not a window"),
            ("08:00-25:00 UTC", "not a window"),
            ("24:00-08:00 UTC", "write 00:00"),
            ("08:00-08:00 UTC", "00:00-24:00"),
            ("08:00-18:00 Mars/Base", "not a time zone"),
            ("Mo-Fr 08:00-18:00 UTC", "not a day"),
            ("", "with a time zone"),
        ] {
            let message = Hours::parse(text).unwrap_err();
            assert!(message.contains(part), "{text}: {message}");
        }
    }
}
