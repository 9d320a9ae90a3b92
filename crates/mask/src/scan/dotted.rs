//! Keys that a dot, a colon or the path of a URL divides: SendGrid, Vault, Slack's webhooks, Telegram's bots.

use super::Found;
use super::bytes::{before, byte, left_free, right_free};
use super::secret::{is_token_byte, run_end};
use crate::detector::Detector;

/// Bytes of the first part of a SendGrid key.
const SENDGRID_ID: usize = 22;
/// Fewest bytes of a secret part: what a truncated one still has.
const LEAST: usize = 20;
/// Fewest bytes of a Vault token after its prefix.
const VAULT: usize = 24;
/// Digits of a Telegram bot's number.
const BOT_ID: std::ops::RangeInclusive<usize> = 8..=10;
/// Bytes of its key, which begins with `AA`.
const BOT_KEY: usize = 35;
/// What stands before the two numbers in a webhook's address. What comes after them is the secret.
const WEBHOOK: &[u8] = b"hooks.slack.com/services/";
/// Longest of these numbers.
const WEBHOOK_ID: usize = 24;

/// Looks at the `G` of `SG.`, the `v` of `hvs.` or the `T` of a webhook. The dots would say the same, and are more frequent.
#[inline]
pub(super) fn at_letter(bytes: &[u8], at: usize, found: &mut Found<'_>) {
    match (before(bytes, at, 1), byte(bytes, at)) {
        (b'S', b'G') if byte(bytes, at + 1) == b'.' => sendgrid(bytes, at + 1, found),
        (b'h', b'v') if byte(bytes, at + 2) == b'.' => vault(bytes, at + 2, found),
        (b'/', b'T') => webhook(bytes, at, found),
        _ => {}
    }
}

fn add(range: std::ops::Range<usize>, found: &mut Found<'_>) {
    found.part_end = range.end;
    found.add(Detector::ApiKey, range);
}

/// `SG.`, 22 bytes, a dot and the secret.
#[cold]
fn sendgrid(bytes: &[u8], dot: usize, found: &mut Found<'_>) {
    let limit = bytes.len().min(dot + 2 + SENDGRID_ID);
    let id = bytes.get(..limit).map_or(dot, |bytes| run_end(bytes, dot + 1, is_token_byte));
    if id - dot - 1 != SENDGRID_ID || byte(bytes, id) != b'.' || !left_free(bytes, dot - 2) {
        return;
    }
    let end = run_end(bytes, id + 1, is_token_byte);
    if end - id > LEAST {
        add(dot - 2..end, found);
    }
}

/// `hvs.`, `hvb.`, `hvr.`: service, batch and recovery tokens.
#[cold]
fn vault(bytes: &[u8], dot: usize, found: &mut Found<'_>) {
    if matches!(before(bytes, dot, 1), b's' | b'b' | b'r') && left_free(bytes, dot - 3) {
        let end = run_end(bytes, dot + 1, is_token_byte);
        if end - dot > VAULT {
            add(dot - 3..end, found);
        }
    }
}

/// `hooks.slack.com/services/T…/B…/` and the secret, which alone is the find.
#[cold]
fn webhook(bytes: &[u8], ids: usize, found: &mut Found<'_>) {
    if !bytes.get(..ids).is_some_and(|before| before.ends_with(WEBHOOK)) {
        return;
    }
    let secret = webhook_id(bytes, ids, b'T').and_then(|second| webhook_id(bytes, second, b'B'));
    let Some(secret) = secret else { return };
    let end = run_end(bytes, secret, is_token_byte);
    if end - secret >= LEAST {
        add(secret..end, found);
    }
}

/// Where what follows the number at `start` and its slash begins.
fn webhook_id(bytes: &[u8], start: usize, first: u8) -> Option<usize> {
    let rest = bytes.get(start..)?;
    let known = |byte: &&u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
    let length = rest.iter().take(WEBHOOK_ID + 1).take_while(known).count();
    let fits = rest.first() == Some(&first) && length <= WEBHOOK_ID && rest.get(length) == Some(&b'/');
    fits.then_some(start + length + 1)
}

/// Looks at an `A` after a colon, which may begin the key of a Telegram bot: `123456789:AA…`.
#[cold]
pub(super) fn at_bot(bytes: &[u8], at: usize, found: &mut Found<'_>) {
    let body = bytes.get(at..at + BOT_KEY).unwrap_or_default();
    let fits = body.starts_with(b"AA") && body.iter().all(|byte| is_token_byte(*byte));
    if fits
        && right_free(bytes, at + BOT_KEY)
        && let Some(start) = bot_id(bytes, at - 1)
    {
        found.add(Detector::ApiKey, start..at + BOT_KEY);
    }
}

/// The start of a bot's number that ends at `end`. In the addresses of the API `bot` stands before it.
fn bot_id(bytes: &[u8], end: usize) -> Option<usize> {
    bot_digits(bytes, end, *BOT_ID.start())
}

fn bot_may_stand(bytes: &[u8], start: usize) -> bool {
    left_free(bytes, start) || bytes.get(..start).is_some_and(|before| before.ends_with(b"bot"))
}

/// The start of at least so many digits that end at `end` and may be a bot's number. Those before them may be an escape's.
fn bot_digits(bytes: &[u8], end: usize, least: usize) -> Option<usize> {
    let most = (1..=*BOT_ID.end()).take_while(|back| before(bytes, end, *back).is_ascii_digit()).count();
    (least..=most).rev().map(|count| end - count).find(|start| bot_may_stand(bytes, *start))
}

/// Where the end of `text` begins that may become a key of several parts, and its secret if that has begun. `word` is where the
/// token bytes at the end begin.
pub(super) fn begins(text: &[u8], word: usize) -> Option<(usize, Option<usize>)> {
    bot_begins(text, word).or_else(|| webhook_begins(text, word).then_some((word, Some(word))))
}

fn bot_begins(text: &[u8], word: usize) -> Option<(usize, Option<usize>)> {
    if before(text, word, 1) == b':' {
        let body = text.get(word..)?;
        let fits = b"AA".starts_with(body) || (body.starts_with(b"AA") && body.len() <= BOT_KEY);
        return bot_id(text, word - 1).filter(|_| fits).map(|start| (start, (body.len() >= 2).then_some(word)));
    }
    bot_digits(text, text.len(), 1).map(|start| (start, None))
}

fn webhook_begins(text: &[u8], word: usize) -> bool {
    if word == text.len() || before(text, word, 1) != b'/' {
        return false;
    }
    let context = text.get(word.saturating_sub(WEBHOOK.len() + 2 * WEBHOOK_ID + 2)..word).unwrap_or_default();
    let ids = context.windows(WEBHOOK.len()).rposition(|window| window == WEBHOOK).map(|at| at + WEBHOOK.len());
    ids.and_then(|ids| webhook_id(context, ids, b'T')).and_then(|second| webhook_id(context, second, b'B'))
        == Some(context.len())
}

/// How much of `rest`, all of it token bytes and dots, is the prefix of what may become a SendGrid key or a Vault token; none if
/// it cannot.
pub(super) fn begins_dotted(rest: &[u8]) -> Option<Option<usize>> {
    if let Some(body) = rest.strip_prefix(b"SG.") {
        let mut parts = body.split(|byte| *byte == b'.');
        let id = parts.next().map_or(0, <[u8]>::len);
        let fits = match (parts.next(), parts.next()) {
            (None, _) => id <= SENDGRID_ID,
            (Some(_), None) => id == SENDGRID_ID,
            (Some(_), Some(_)) => false,
        };
        return fits.then_some(Some(3));
    }
    if let [b'h', b'v', b's' | b'b' | b'r', b'.', body @ ..] = rest {
        return (!body.contains(&b'.')).then_some(Some(4));
    }
    let partly = b"SG".starts_with(rest) || matches!(rest, [b'h'] | [b'h', b'v'] | [b'h', b'v', b's' | b'b' | b'r']);
    partly.then_some(None)
}
