//! The reader's terminal: what is played on it, and how it is left.

use std::io::IsTerminal;
use std::time::Duration;

use anyhow::Result;
use terminal::Filter;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::Instant;

use super::cast::{Header, Line, Lines, Show};
use super::keys::{Key, Keyboard};
use super::player::{Jump, Player};
use crate::output;

/// How far the arrows go.
const ARROW: Duration = Duration::from_secs(5);
/// Clears the screen and what the session may have left of modes.
const CLEAR: &[u8] = b"\x1b[!p\x1b[H\x1b[2J";

/// How a show is played.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// How many times as fast.
    pub(crate) speed: f64,
    /// The longest pause.
    pub(crate) idle: Option<Duration>,
    /// Where it begins.
    pub(crate) from: Option<Duration>,
}

/// What reaches the reader: through the filter, and on a terminal only with what brings the terminal back.
#[derive(Default)]
struct Screen {
    filter: Filter,
    bytes: Vec<u8>,
    used: bool,
}

impl Screen {
    fn show<'a>(&mut self, texts: impl Iterator<Item = &'a str>) -> Result<()> {
        self.bytes.clear();
        texts.for_each(|text| self.filter.push(text.as_bytes(), &mut self.bytes));
        self.used = true;
        output::write_out(&self.bytes)
    }

    fn jump(&mut self, player: &Player, jump: &Jump) -> Result<()> {
        if jump.clear {
            output::write_out(&self.filter.reset())?;
            output::write_out(CLEAR)?;
            self.filter = Filter::new();
        }
        self.show(player.text(jump.events.clone()))
    }

    /// Leaves the reader's terminal as it was.
    fn end(&self) -> Result<()> {
        if self.used && std::io::stdout().is_terminal() {
            output::write_out(&self.filter.reset())?;
            output::write_out(b"\n")?;
        }
        Ok(())
    }
}

/// Plays a show: on a terminal with its timing and keys, elsewhere all of the output at once and nothing else.
///
/// # Errors
/// When standard output cannot be written.
pub(crate) async fn play(show: Show, pace: &Pace) -> Result<()> {
    let mut player = Player::new(show.into_events(), pace.speed, pace.idle);
    let mut screen = Screen::default();
    if !std::io::stdout().is_terminal() {
        return screen.show(player.text(0..usize::MAX));
    }
    let mut keyboard = Keyboard::open();
    if let Some(from) = pace.from {
        let jump = player.seek(from);
        screen.jump(&player, &jump)?;
    }
    let played = tokio::select! {
        played = run(&mut player, &mut screen, &mut keyboard) => played,
        () = stopped() => Ok(()),
    };
    screen.end()?;
    played
}

async fn run(player: &mut Player, screen: &mut Screen, keyboard: &mut Option<Keyboard>) -> Result<()> {
    while !player.is_over() {
        let begun = Instant::now();
        let wait = player.wait().filter(|_| !player.is_paused());
        let next = async {
            match wait {
                Some(wait) => tokio::time::sleep(wait).await,
                None => std::future::pending().await,
            }
        };
        let pressed = async {
            match keyboard {
                Some(keyboard) => keyboard.next().await,
                None => std::future::pending().await,
            }
        };
        let key = tokio::select! {
            () = next => None,
            key = pressed => Some(key),
        };
        let Some(key) = key else {
            let events = player.step();
            screen.show(player.text(events))?;
            continue;
        };
        if wait.is_some() {
            player.pass(begun.elapsed());
        }
        if key == Key::Quit {
            return Ok(());
        }
        press(key, player, screen)?;
    }
    Ok(())
}

fn press(key: Key, player: &mut Player, screen: &mut Screen) -> Result<()> {
    match key {
        Key::Pause => player.pause(),
        Key::Faster | Key::Slower => player.change_speed(key == Key::Faster),
        Key::Step => {
            let events = player.step();
            screen.show(player.text(events))?;
        }
        Key::Back | Key::On => {
            let jump = player.skip(ARROW, key == Key::Back);
            screen.jump(player, &jump)?;
        }
        Key::Quit => {}
    }
    Ok(())
}

/// Waits for Ctrl-C, or for being told to end. Never, where signals cannot be had.
pub(crate) async fn stopped() {
    let mut end = signal(SignalKind::terminate()).ok();
    let told = async {
        match &mut end {
            Some(end) => end.recv().await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        done = tokio::signal::ctrl_c() => if done.is_err() { std::future::pending::<()>().await },
        _ = told => {}
    }
}

/// The command that was picked had output but no terminal.
#[derive(Debug, thiserror::Error)]
#[error("no command of this session had a terminal")]
pub(crate) struct NoTerminal;

/// What a live session shows, as it shows it.
pub(crate) struct Live {
    lines: Lines,
    screen: Screen,
    terminals_only: bool,
}

impl Live {
    /// Shows terminals, and output without one only if told to.
    pub(crate) fn new(terminals_only: bool) -> Self {
        Self { lines: Lines::default(), screen: Screen::default(), terminals_only }
    }

    /// Takes the next bytes of a cast and shows what is in them.
    ///
    /// # Errors
    /// They are no cast, standard output cannot be written, or [`NoTerminal`].
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<()> {
        let (screen, terminals_only) = (&mut self.screen, self.terminals_only);
        self.lines.push(bytes, |line| match line {
            Line::Header(Header { terminal: false }) if terminals_only => Err(NoTerminal.into()),
            Line::Header(_) => Ok(()),
            Line::Shown(shown) => screen.show(std::iter::once(&*shown.text)),
        })
    }

    /// Whether the header was read.
    pub(crate) const fn is_loading(&self) -> bool {
        self.lines.begun()
    }

    /// Leaves the reader's terminal as it was.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub(crate) fn end(&self) -> Result<()> {
        self.screen.end()
    }
}
