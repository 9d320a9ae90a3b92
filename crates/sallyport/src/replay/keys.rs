//! The reader's keyboard, a key at a time and without echo.

use std::io::{IsTerminal, Read};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use tokio::sync::mpsc;

/// Keys that wait to be looked at; a held key is worth no more.
const QUEUE: usize = 16;

/// What a key asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Key {
    Pause,
    Back,
    On,
    Faster,
    Slower,
    Step,
    Quit,
}

/// The keyboard, as long as it is listened to. Dropped, it is as it was.
pub(super) struct Keyboard {
    before: Termios,
    keys: mpsc::Receiver<Key>,
}

impl Keyboard {
    /// Listens to standard input, if that is a terminal.
    pub(super) fn open() -> Option<Self> {
        let stdin = std::io::stdin();
        if !stdin.is_terminal() {
            return None;
        }
        let before = tcgetattr(&stdin).ok()?;
        let mut plain = before.clone();
        // Signals stay, so that Ctrl-C ends it as ever.
        plain.local_modes.remove(LocalModes::ICANON | LocalModes::ECHO);
        tcsetattr(&stdin, OptionalActions::Now, &plain).ok()?;
        let (sender, keys) = mpsc::channel(QUEUE);
        // It waits in a read until the process ends.
        std::thread::spawn(move || {
            let mut buffer = [0; 64];
            while let Ok(length @ 1..) = std::io::stdin().lock().read(&mut buffer) {
                for key in keys_in(buffer.get(..length).unwrap_or_default()) {
                    if sender.blocking_send(key).is_err() {
                        return;
                    }
                }
            }
        });
        Some(Self { before, keys })
    }

    /// The next key. Cancel safe. Never, when there is no keyboard any more.
    pub(super) async fn next(&mut self) -> Key {
        match self.keys.recv().await {
            Some(key) => key,
            None => std::future::pending().await,
        }
    }
}

impl Drop for Keyboard {
    fn drop(&mut self) {
        // Nothing can be done when the terminal is gone.
        let _gone = tcsetattr(std::io::stdin(), OptionalActions::Now, &self.before);
    }
}

/// The keys in what was read at once. An arrow is a sequence, in either of the two modes of a keypad.
fn keys_in(bytes: &[u8]) -> Vec<Key> {
    let mut keys = Vec::new();
    let mut rest = bytes;
    while let [first, more @ ..] = rest {
        rest = more;
        let key = match (*first, more) {
            (0x1b, [b'[' | b'O', last, after @ ..]) => {
                rest = after;
                match last {
                    b'C' => Some(Key::On),
                    b'D' => Some(Key::Back),
                    _ => None,
                }
            }
            (b' ', _) => Some(Key::Pause),
            (b'+' | b'=', _) => Some(Key::Faster),
            (b'-', _) => Some(Key::Slower),
            (b'.', _) => Some(Key::Step),
            (b'q' | b'Q', _) => Some(Key::Quit),
            _ => None,
        };
        keys.extend(key);
    }
    keys
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_told_apart() {
        use Key::{Back, Faster, On, Pause, Quit, Slower, Step};
        assert_eq!(keys_in(b" \x1b[C\x1bOD\x1b[Ax+-.q"), [Pause, On, Back, Faster, Slower, Step, Quit]);
        assert_eq!(keys_in(b"\x1b"), []);
    }
}
