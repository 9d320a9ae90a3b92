//! Where a replay is and what comes next. Without IO and without a clock: the time that has passed is an argument.

use std::ops::Range;
use std::time::Duration;

use super::cast::Shown;

/// The slowest and the fastest.
const SPEEDS: (f64, f64) = (0.01, 1000.0);

/// A replay at some place.
#[derive(Debug)]
pub(super) struct Player {
    events: Vec<Shown>,
    /// The event that comes next.
    next: usize,
    /// Where it is, in microseconds of the recording.
    position: u64,
    speed: f64,
    /// The longest pause, in microseconds.
    idle: u64,
    paused: bool,
}

/// What a jump shows.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Jump {
    /// Whether the screen is cleared first.
    pub(super) clear: bool,
    /// What is shown at once.
    pub(super) events: Range<usize>,
}

impl Player {
    /// A replay at the beginning.
    pub(super) fn new(events: Vec<Shown>, speed: f64, idle: Option<Duration>) -> Self {
        let idle = idle.map_or(u64::MAX, |idle| u64::try_from(idle.as_micros()).unwrap_or(u64::MAX));
        Self { events, next: 0, position: 0, speed, idle, paused: false }
    }

    /// What was shown in a range of events.
    pub(super) fn text(&self, range: Range<usize>) -> impl Iterator<Item = &str> {
        let end = range.end.min(self.events.len());
        self.events.get(range.start..end).unwrap_or_default().iter().map(|shown| &*shown.text)
    }

    /// Whether all was shown.
    pub(super) fn is_over(&self) -> bool {
        self.next >= self.events.len()
    }

    /// Whether it stands still.
    pub(super) const fn is_paused(&self) -> bool {
        self.paused
    }

    /// Stops or goes on.
    pub(super) const fn pause(&mut self) {
        self.paused = !self.paused;
    }

    /// Twice as fast, or half.
    pub(super) fn change_speed(&mut self, faster: bool) {
        let speed = if faster { self.speed * 2.0 } else { self.speed / 2.0 };
        self.speed = speed.clamp(SPEEDS.0, SPEEDS.1);
    }

    /// How long until the next event; nothing at the end.
    pub(super) fn wait(&self) -> Option<Duration> {
        let gap = self.events.get(self.next)?.at.saturating_sub(self.position).min(self.idle);
        Some(Duration::from_micros(gap).div_f64(self.speed))
    }

    /// Shows the next event.
    pub(super) fn step(&mut self) -> Range<usize> {
        let here = self.next;
        if let Some(event) = self.events.get(here) {
            self.position = self.position.max(event.at);
            self.next += 1;
        }
        here..self.next
    }

    /// So much time has passed without the next event.
    pub(super) fn pass(&mut self, time: Duration) {
        let Some(event) = self.events.get(self.next) else { return };
        let passed = u64::try_from(time.mul_f64(self.speed).as_micros()).unwrap_or(u64::MAX);
        // Of a pause that is cut short, what is left of it stands at its end.
        let start = self.position.max(event.at.saturating_sub(self.idle));
        self.position = start.saturating_add(passed).min(event.at);
    }

    /// Goes to a time of the recording, on or back.
    pub(super) fn seek(&mut self, to: Duration) -> Jump {
        let end = self.events.last().map_or(0, |last| last.at);
        let to = u64::try_from(to.as_micros()).unwrap_or(u64::MAX).min(end);
        let next = self.events.partition_point(|event| event.at <= to);
        let jump = if to < self.position {
            Jump { clear: true, events: 0..next }
        } else {
            Jump { clear: false, events: self.next..next.max(self.next) }
        };
        self.next = jump.events.end;
        self.position = to;
        jump
    }

    /// Goes so far on or back from where it is.
    pub(super) fn skip(&mut self, by: Duration, back: bool) -> Jump {
        let here = Duration::from_micros(self.position);
        self.seek(if back { here.saturating_sub(by) } else { here.saturating_add(by) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn player(idle: Option<Duration>) -> Player {
        let events = [(0, "a"), (1, "b"), (11, "c"), (12, "d")];
        let events = events.map(|(at, text)| Shown { at: at * 1_000_000, text: text.into() });
        Player::new(events.to_vec(), 1.0, idle)
    }

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn it_keeps_time_and_cuts_pauses() {
        let mut player = player(Some(seconds(2)));
        let mut waits = Vec::new();
        while let Some(wait) = player.wait() {
            waits.push(wait.as_secs());
            player.step();
        }
        assert_eq!(waits, [0, 1, 2, 1]);
        assert!(player.is_over() && player.step().is_empty());
    }

    #[test]
    fn speed_and_time_that_passed() {
        let mut player = player(None);
        player.step();
        player.change_speed(true);
        assert_eq!(player.wait(), Some(Duration::from_millis(500)));
        player.pass(Duration::from_millis(250));
        assert_eq!(player.wait(), Some(Duration::from_millis(250)));
        (0..40).for_each(|_| player.change_speed(false));
        assert!(player.wait().unwrap() <= seconds(100));
        // In a pause that is cut short too.
        let mut player = self::player(Some(seconds(2)));
        player.seek(seconds(1));
        player.pass(seconds(1));
        assert_eq!(player.wait(), Some(seconds(1)));
    }

    #[test]
    fn jumps_go_on_at_once_and_back_from_the_start() {
        let mut player = player(None);
        assert_eq!(player.seek(seconds(5)), Jump { clear: false, events: 0..2 });
        assert_eq!(player.wait(), Some(seconds(6)));
        assert_eq!(player.skip(seconds(5), true), Jump { clear: true, events: 0..1 });
        assert_eq!(player.skip(seconds(1), false), Jump { clear: false, events: 1..2 });
        assert_eq!(player.seek(seconds(900)), Jump { clear: false, events: 2..4 });
        assert!(player.is_over());
        assert_eq!(player.text(1..3).collect::<String>(), "bc");
        assert_eq!(player.text(0..usize::MAX).collect::<String>(), "abcd");
    }
}
