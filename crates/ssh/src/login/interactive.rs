//! Keyboard-interactive (RFC 4256): a token is typed, or the person logs in with the browser.
//!
//! Stock clients try this before `password`, programs with a token at hand included. So the identity provider is asked only once somebody has
//! answered the first question with nothing but Enter: nobody else waits for it, and nobody else makes it do anything.
//!
//! Everything that matters is in the question itself. Instructions, which stand beside it, are shown by some clients on standard error, by
//! some not at all (OpenSSH below `LogLevel INFO`, `SSH_ASKPASS` programs).

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::time::Duration;

use gate::Micros;
use gate::ports::{AuthFailure, BrowserLogin, LoginPrompt, Proven};
use tokio::time::Instant;

use super::{Login, LoginEnd, SECRET};
use crate::wire::{Cursor, WireError, encode, number};

/// The question for a token.
const TOKEN: &str = "Password (a token): ";
/// The same where there is another way.
const TOKEN_OR_BROWSER: &str = "Password (a token), or Enter to log in with the browser: ";
/// How long one connection may be kept by logins with the browser.
const LONGEST: Duration = Duration::from_secs(300);
/// How long a client has to try something else afterwards.
const AFTERWARDS: Duration = Duration::from_secs(10);
/// How long somebody who has pressed Enter sees nothing before being told that the gateway waits.
const PATIENCE: Duration = Duration::from_millis(1500);

/// Until when a login has to be done. A login with the browser moves it, once per connection and not beyond [`LONGEST`].
pub(super) struct Deadline {
    /// As the listener has set it.
    first: Instant,
    now: Cell<Instant>,
    last: Cell<Option<Instant>>,
}

impl Deadline {
    pub(super) const fn new(first: Instant) -> Self {
        Self { first, now: Cell::new(first), last: Cell::new(None) }
    }

    /// Ready once it is over, wherever it is moved meanwhile.
    pub(super) async fn over(&self) {
        let mut sleep = pin!(tokio::time::sleep_until(self.now.get()));
        // Whoever moves it is a part of the same task, so this is polled right after.
        poll_fn(|cx| {
            if sleep.deadline() != self.now.get() {
                sleep.as_mut().reset(self.now.get());
            }
            sleep.as_mut().poll(cx)
        })
        .await;
    }

    /// Whether somebody was given more time than the listener gives.
    pub(super) fn was_moved(&self) -> bool {
        self.last.get().is_some()
    }

    /// Gives the time for a code that is good for so long; how much of it there is.
    fn wait_for(&self, code: Duration) -> Duration {
        let now = Instant::now();
        let last = self.last.get().unwrap_or(now + LONGEST);
        self.last.set(Some(last));
        let until = (now + code).min(last);
        self.now.set(until.max(self.first));
        until.saturating_duration_since(now)
    }

    /// The code is used, or not wanted: from here on time is short again.
    fn no_more(&self) {
        let soon = Instant::now() + AFTERWARDS;
        self.now.set(self.last.get().map_or(self.first, |last| soon.min(last)).max(self.first));
    }
}

/// What came of the questions.
pub(super) struct Attempt {
    pub(super) proven: Result<Proven, AuthFailure>,
    /// Whether it was with the browser.
    pub(super) by_browser: bool,
}

impl Attempt {
    /// The client did not answer what it was asked, or asks for something else.
    const NONE: Self = Self { proven: Err(AuthFailure::Unknown), by_browser: false };
}

enum Turn {
    Done(Result<Proven, AuthFailure>),
    Said(Vec<u8>),
    Silence,
}

impl Login<'_> {
    /// Asks the person at the client.
    pub(super) async fn interactive(&mut self, target: &str, deadline: &Deadline) -> Result<Attempt, LoginEnd> {
        if !self.identities.offers_login(target) {
            return self.token(TOKEN, target).await;
        }
        let Some(answer) = self.question(TOKEN_OR_BROWSER).await? else {
            return Ok(Attempt::NONE);
        };
        if !answer.is_empty() {
            return Ok(Attempt { proven: self.prove(&answer, target).await, by_browser: false });
        }
        let login = match self.identities.begin_login(target, self.socket.peer().ip()).await {
            Ok(login) => login,
            Err(failure) => return self.token(&format!("{failure}.\n{TOKEN}"), target).await,
        };
        let left = deadline.wait_for(login.prompt().good_for);
        let words = self.words(login.prompt(), target, left);
        let answer = self.question(&words).await?;
        if answer.as_ref().is_none_or(|answer| !answer.is_empty()) {
            drop(login);
            deadline.no_more();
            let Some(answer) = answer else {
                return Ok(Attempt::NONE);
            };
            return Ok(Attempt { proven: self.prove(&answer, target).await, by_browser: false });
        }
        let proven = self.wait(login).await?;
        deadline.no_more();
        if proven.is_err() {
            tokio::time::sleep(self.failure_delay).await;
        }
        Ok(Attempt { proven, by_browser: true })
    }

    async fn token(&mut self, question: &str, target: &str) -> Result<Attempt, LoginEnd> {
        let Some(secret) = self.question(question).await? else {
            return Ok(Attempt::NONE);
        };
        Ok(Attempt { proven: self.prove(&secret, target).await, by_browser: false })
    }

    /// The question of a login with the browser. It says what the login is for, where and when it was asked for, and that it is for nobody
    /// else: whoever finishes a login lets in whoever has begun it.
    fn words(&self, prompt: &LoginPrompt, target: &str, left: Duration) -> String {
        let page = match &prompt.complete_url {
            Some(page) => format!("open {page}\nand check that it shows the code {}", prompt.code),
            None => format!("open {}\nand enter the code {}", prompt.url, prompt.code),
        };
        format!(
            "To log in to {target} from {} (asked for at {}), {page}.\nIt is good for {}. Use it only for a login that you have begun yourself, \
             and give it to nobody.\nPassword (a token), or Enter once you are logged in: ",
            self.socket.peer().ip(),
            time_of_day(prompt.begun),
            time(left),
        )
    }

    /// Waits until somebody has logged in. The client may leave meanwhile, or try something else, which ends the wait.
    async fn wait(&mut self, login: Box<dyn BrowserLogin>) -> Result<Result<Proven, AuthFailure>, LoginEnd> {
        let mut finish = login.finish();
        let mut patience = pin!(tokio::time::sleep(PATIENCE));
        let (mut told, mut unread) = (false, false);
        let proven = loop {
            let turn = tokio::select! {
                biased;
                proven = &mut finish => Turn::Done(proven),
                message = self.socket.receive(self.outbox) => Turn::Said(message?),
                () = &mut patience, if !told => Turn::Silence,
            };
            match turn {
                Turn::Done(proven) => break proven,
                Turn::Said(message) if self.begins_anew(&message) => return Ok(Err(AuthFailure::Unknown)),
                Turn::Said(message) if unread => unread = read(&message)?,
                Turn::Said(_) => return Err(WireError("a message while a login waits").into()),
                Turn::Silence => {
                    (told, unread) = (true, true);
                    self.ask("Waiting for the login at the identity provider.", None);
                }
            }
        };
        if unread {
            let message = self.socket.receive(self.outbox).await?;
            if self.begins_anew(&message) {
                return Ok(Err(AuthFailure::Unknown));
            }
            read(&message)?;
        }
        Ok(proven)
    }

    /// Whether the message is another request, which takes the place of the one under way (RFC 4252, section 5): it is answered next.
    fn begins_anew(&mut self, message: &[u8]) -> bool {
        let anew = message.first() == Some(&number::USERAUTH_REQUEST);
        if anew {
            self.next = Some(message.to_vec());
        }
        anew
    }

    /// Asks for one answer; none when the client asks for something else, or brings another number of answers, which proves nothing (RFC 4256,
    /// section 3.4).
    async fn question(&mut self, question: &str) -> Result<Option<String>, LoginEnd> {
        // No instruction: clients print it on standard error, each time.
        self.ask("", Some(question));
        let message = self.socket.receive(self.outbox).await?;
        if self.begins_anew(&message) {
            return Ok(None);
        }
        let mut cursor = Cursor::new(&message);
        if cursor.byte()? != number::USERAUTH_INFO_RESPONSE {
            return Err(WireError("not the answer to the question").into());
        }
        if cursor.u32()? != 1 {
            return Ok(None);
        }
        let answer = cursor.text()?;
        cursor.end()?;
        if answer.len() > SECRET {
            Err(WireError("a secret above the limit").into())
        } else {
            Ok(Some(answer.to_owned()))
        }
    }

    /// An instruction, and a question whose answer is not shown.
    fn ask(&mut self, instruction: &str, question: Option<&str>) {
        let ask = encode::message(number::USERAUTH_INFO_REQUEST, |out| {
            encode::string(out, b"");
            encode::string(out, instruction.as_bytes());
            encode::string(out, b"");
            encode::u32(out, u32::from(question.is_some()));
            if let Some(question) = question {
                encode::string(out, question.as_bytes());
                encode::boolean(out, false);
            }
        });
        self.send(&ask);
    }
}

/// The answer to an instruction without a question; never another one to come.
fn read(message: &[u8]) -> Result<bool, WireError> {
    let mut cursor = Cursor::new(message);
    if cursor.byte()? != number::USERAUTH_INFO_RESPONSE || cursor.u32()? != 0 {
        return Err(WireError("a message while a login waits"));
    }
    cursor.end()?;
    Ok(false)
}

/// `5 minutes`, `40 seconds`. Of five minutes some milliseconds are gone by now; they are still five.
fn time(left: Duration) -> String {
    match left.saturating_add(Duration::from_millis(500)).as_secs() {
        seconds @ 0..120 => format!("{seconds} seconds"),
        seconds => format!("{} minutes", seconds / 60),
    }
}

/// `14:03 UTC`.
fn time_of_day(at: Micros) -> String {
    let minutes = at.0.div_euclid(60_000_000);
    format!("{:02}:{:02} UTC", minutes.div_euclid(60).rem_euclid(24), minutes.rem_euclid(60))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_with_the_browser_moves_the_deadline_once_and_back() {
        let start = Instant::now();
        let first = start + Duration::from_secs(10);
        let deadline = Deadline::new(first);
        assert!(!deadline.was_moved());
        let left = deadline.wait_for(Duration::from_secs(3600));
        assert!(left <= LONGEST && left > LONGEST - Duration::from_secs(5), "{left:?}");
        assert!(deadline.now.get() >= start + LONGEST);
        deadline.no_more();
        assert!(deadline.now.get() <= Instant::now() + AFTERWARDS, "afterwards time is short");
        let again = deadline.wait_for(Duration::from_secs(3600));
        assert!(again <= left, "a second code gives no more");
        deadline.wait_for(Duration::from_secs(1));
        assert_eq!(deadline.now.get(), first, "nobody has less time than without it");
    }

    #[test]
    fn times_are_read_at_a_glance() {
        assert_eq!(time(Duration::from_millis(299_900)), "5 minutes");
        assert_eq!(time(Duration::from_secs(59)), "59 seconds");
        assert_eq!(time_of_day(Micros(1_800_000_180_000_000)), "08:03 UTC");
    }
}
