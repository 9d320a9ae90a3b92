//! The detectors as slow, plain rules: at every position, every end, one regular expression and one validator. Written from the
//! documented rules, not from the code it judges.

#![expect(clippy::unwrap_used, reason = "test code: a broken rule must stop the test")]

use std::net::Ipv6Addr;
use std::ops::Range;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use regex::bytes::Regex;
use sallyport_mask::{Detector, DetectorSet, Hit};

fn regex(pattern: &str) -> Regex {
    Regex::new(&format!("(?s-u){pattern}")).unwrap()
}

macro_rules! rule {
    ($pattern:expr) => {{
        static RULE: LazyLock<Regex> = LazyLock::new(|| regex($pattern));
        &*RULE
    }};
}

/// Everything found, overlaps joined, named after the first.
pub(crate) fn scan(text: &[u8], set: DetectorSet) -> Vec<Hit> {
    let mut all: Vec<(usize, Detector, usize)> = Vec::new();
    for detector in set.iter() {
        let ranges = match detector {
            Detector::Card => starts(text, card),
            Detector::Iban => starts(text, iban),
            Detector::Email => emails(text),
            Detector::Phone => starts(text, phone),
            Detector::Ssn => starts(text, ssn),
            Detector::Ip => [starts(text, ipv4), ipv6(text)].concat(),
            Detector::Jwt => starts(text, jwt),
            Detector::AwsKey => starts(text, aws),
            Detector::GithubToken => starts(text, github),
            Detector::Pem => starts(text, pem),
            Detector::ApiKey => starts(text, api_key),
        };
        all.extend(ranges.into_iter().map(|range| (range.start, detector, range.end)));
    }
    all.sort_unstable();
    let mut hits: Vec<Hit> = Vec::new();
    for (start, detector, end) in all {
        match hits.last_mut() {
            Some(last) if start < last.range.end => last.range.end = last.range.end.max(end),
            _ => hits.push(Hit { detector, range: start..end }),
        }
    }
    hits
}

fn starts(text: &[u8], end_from: fn(&[u8], usize) -> Option<usize>) -> Vec<Range<usize>> {
    (0..text.len()).filter_map(|start| Some(start..end_from(text, start)?)).collect()
}

/// The longest end up to `most` bytes on that `rule` and `valid` accept.
fn longest(text: &[u8], start: usize, most: usize, rule: &Regex, valid: impl Fn(usize) -> bool) -> Option<usize> {
    (start + 1..=text.len().min(start + most)).rev().find(|end| rule.is_match(&text[start..*end]) && valid(*end))
}

fn free_before(text: &[u8], at: usize) -> bool {
    rule!(r"(?:^|[^A-Za-z0-9]|(?:^|[^\\])(?:\\\\)*\\[bfnrtv]|%(?:25)?[0-9A-Fa-f]{2})$").is_match(&text[..at])
}

fn free_after(text: &[u8], at: usize) -> bool {
    !text.get(at).is_some_and(u8::is_ascii_alphanumeric)
}

fn digit_at(text: &[u8], at: usize) -> bool {
    text.get(at).is_some_and(u8::is_ascii_digit)
}

fn digits(text: &[u8]) -> Vec<u32> {
    text.iter().filter(|byte| byte.is_ascii_digit()).map(|byte| u32::from(byte - b'0')).collect()
}

/// Prefixes of issuers, first and last, and the lengths of their cards.
const ISSUERS: &[(&str, &str, &[usize])] = &[
    ("4", "4", &[13, 16, 19]),
    ("51", "55", &[16]),
    ("2221", "2720", &[16]),
    ("34", "34", &[15]),
    ("37", "37", &[15]),
    ("300", "305", &[14, 16, 17, 18, 19]),
    ("3095", "3095", &[14, 16, 17, 18, 19]),
    ("36", "36", &[14, 16, 17, 18, 19]),
    ("38", "39", &[14, 16, 17, 18, 19]),
    ("6011", "6011", &[16, 17, 18, 19]),
    ("644", "659", &[16, 17, 18, 19]),
    ("3528", "3589", &[16, 17, 18, 19]),
    ("62", "62", &[16, 17, 18, 19]),
    ("81", "82", &[16, 17, 18, 19]),
    ("2200", "2204", &[16, 17, 18, 19]),
    ("2205", "2205", &[16]),
    ("5018", "5018", &[13, 14, 15, 16, 17, 18, 19]),
    ("5020", "5020", &[13, 14, 15, 16, 17, 18, 19]),
    ("5038", "5038", &[13, 14, 15, 16, 17, 18, 19]),
    ("5893", "5893", &[13, 14, 15, 16, 17, 18, 19]),
    ("6304", "6304", &[13, 14, 15, 16, 17, 18, 19]),
    ("6759", "6759", &[13, 14, 15, 16, 17, 18, 19]),
    ("6761", "6763", &[13, 14, 15, 16, 17, 18, 19]),
    ("5019", "5019", &[16]),
    ("506", "509", &[16, 17, 18, 19]),
    ("6061", "6062", &[16, 17, 18, 19]),
    ("60", "60", &[16]),
    ("636", "639", &[16]),
    ("5602", "5602", &[16]),
    ("5610", "5610", &[16]),
    ("9792", "9792", &[16]),
    ("9860", "9860", &[16]),
    ("8600", "8600", &[16]),
];

fn card(text: &[u8], start: usize) -> Option<usize> {
    let layout = rule!(r"^(?:[0-9]{13,19}|(?:[0-9]{4}|[0-9]{6})(?:[ -][0-9]{4,6}){1,3}[ -][0-9]{1,7})$");
    let fraction = rule!(r"[0-9]\.$").is_match(&text[..start]);
    let named = rule!("(?i)(?:pan|card|cardno|cardnumber|creditcard|ccnumber|visa|mastercard)$")
        .find_iter(&text[..start])
        .last();
    let named = named.is_some_and(|name| free_before(text, name.start()));
    let track = !free_before(text, start) && !named;
    if fraction || track && !(text[..start].ends_with(b"B") && free_before(text, start - 1)) {
        return None;
    }
    let end = longest(text, start, 24, layout, |end| {
        let digits = digits(&text[start..end]);
        let number: String = digits.iter().map(ToString::to_string).collect();
        let issued = ISSUERS.iter().any(|(first, last, lengths)| {
            let prefix = &number[..first.len()];
            (*first..=*last).contains(&prefix) && lengths.contains(&digits.len())
        });
        let luhn: u32 = digits
            .iter()
            .rev()
            .enumerate()
            .map(|(index, digit)| if index % 2 == 1 { (digit * 2) / 10 + (digit * 2) % 10 } else { *digit })
            .sum();
        issued && luhn.is_multiple_of(10) && free_after(text, end) && !rule!(r"^\.[0-9]").is_match(&text[end..])
    })?;
    (!track || rule!(r"^(?:\^|%(?:25)?5[Ee])").is_match(&text[end..])).then_some(end)
}

const COUNTRIES: &str = "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 EE20 \
    EG29 ES24 FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 \
    LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 PT25 QA29 RO24 RS22 RU33 \
    SA24 SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30 AO25 BF28 BJ28 CF27 CG27 CI28 CM27 \
    CV25 DZ26 GA27 GQ27 GW25 IR26 KM27 MA28 MG27 ML28 MZ25 NE28 SN28 TD27 TG28";

fn iban(text: &[u8], start: usize) -> Option<usize> {
    static LAYOUT: LazyLock<Regex> = LazyLock::new(|| {
        let countries: Vec<String> = COUNTRIES
            .split_whitespace()
            .map(|row| {
                let (country, length) = row.split_at(2);
                let length: usize = length.parse().unwrap();
                let tail =
                    if !length.is_multiple_of(4) { format!("[ -]?[a-z0-9]{{{}}}", length % 4) } else { String::new() };
                format!("{country}[0-9]{{2}}(?:[ -]?[a-z0-9]{{4}}){{{}}}{tail}", length / 4 - 1)
            })
            .collect();
        regex(&format!("(?i)^(?:{})$", countries.join("|")))
    });
    if !free_before(text, start)
        || !text.get(start..start + 4).is_some_and(|head| rule!("^[A-Za-z]{2}[0-9]{2}$").is_match(head))
    {
        return None;
    }
    longest(text, start, 42, &LAYOUT, |end| {
        let plain: Vec<u8> =
            text[start..end].iter().filter(|byte| byte.is_ascii_alphanumeric()).map(u8::to_ascii_uppercase).collect();
        let numbers: String = plain[4..]
            .iter()
            .chain(&plain[..4])
            .map(|byte| char::from(*byte).to_digit(36).unwrap().to_string())
            .collect();
        let remainder = numbers.bytes().fold(0, |all, digit| (all * 10 + u32::from(digit - b'0')) % 97);
        remainder == 1 && free_after(text, end)
    })
}

fn emails(text: &[u8]) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    for at in 0..text.len() {
        let Some(sign) = rule!("^(?:@|%40|%2540)").find(&text[at..]) else {
            continue;
        };
        let Some(local) = rule!(r"[A-Za-z0-9._%+'\x80-\xff-]{1,64}$").find(&text[..at]) else {
            continue;
        };
        let mut start = local.start();
        if rule!(r"(?:^|[^\\])(?:\\\\)*\\$").is_match(&text[..start]) {
            start += rule!(r"^(?:u[0-9A-Fa-f]{4}|[bfnrtv])").find(&text[start..at]).map_or(0, |escape| escape.len());
        }
        start = after_marks(text, start, at);
        // The escapes of what is in no local part: all of ASCII but letters, digits and the marks above, and the at sign.
        let delimiters = rule!(r"%(?:25)?(?:[01][0-9A-Fa-f]|2[0-4689ACFacf]|3[A-Fa-f]|5[BCDEbcde]|60|7[B-Fb-f])");
        let mut after = (start..at).filter_map(|from| {
            let escape = delimiters.find(&text[from..at])?;
            (escape.start() == 0).then_some(from + escape.end())
        });
        let inner = after.next_back().map_or(start, |inner| after_marks(text, inner, at));
        start = if inner < at { inner } else { start };
        let domain_start = at + sign.len();
        if let Some(length) = domain(&text[domain_start..])
            && start < at
        {
            found.push(start..domain_start + length);
        }
    }
    found
}

fn after_marks(text: &[u8], start: usize, at: usize) -> usize {
    start + rule!(r"^[.%+'\x80-\xbf-]*").find(&text[start..at]).map_or(0, |marks| marks.len())
}

fn domain(text: &[u8]) -> Option<usize> {
    let labels = rule!(r"^(?:[A-Za-z0-9_\x80-\xff-]{1,63}(?:\.|%(?:25)?2[Ee]))+");
    let mut end = labels.find(text)?.end();
    loop {
        if let Some(top) = rule!(r"^(?:[A-Za-z][A-Za-z0-9-]*|[\x80-\xff]+)").find(&text[end..])
            && top.len() <= 63
        {
            let length = rule!("-*$").find(top.as_bytes()).map_or(top.len(), |dashes| dashes.start());
            let file =
                rule!("^(?:service|socket|timer|(?:auto)?mount|slice|scope|path|device|swap|png|jpe?g|gif|svg|webp)$");
            if length >= 2 && end + length <= 255 && !file.is_match(&text[end..end + length]) {
                return Some(end + length);
            }
        }
        end = labels.find(&text[..end - 1])?.end();
    }
}

fn ends_phone(text: &[u8], end: usize) -> bool {
    free_after(text, end) || rule!("^(?:[xX]|ext)").is_match(&text[end..])
}

fn phone(text: &[u8], start: usize) -> Option<usize> {
    if text[start] == b'+' { international(text, start) } else { national(text, start) }
}

fn international(text: &[u8], start: usize) -> Option<usize> {
    if !free_before(text, start) {
        return None;
    }
    let layout = rule!(r"^\+[1-9](?:[0-9]{7,}|[0-9]{0,6}(?:(?:[ ./-]| ?\([0-9]{1,5}\)[ -]?)[0-9]+)*)$");
    let end = longest(text, start, 60, layout, |end| digits(&text[start..end]).len() <= 15 && !digit_at(text, end))?;
    let number = &text[start..end];
    let dots = number.iter().filter(|byte| **byte == b'.').count();
    let decimal = dots == 1 || dots > 1 && rule!("^[.,][0-9]").is_match(&text[end..]);
    (digits(number).len() >= 8 && !decimal && ends_phone(text, end)).then_some(end)
}

fn national(text: &[u8], start: usize) -> Option<usize> {
    let parens = rule!(
        r"^(?:\([2-9][0-9]{2}\) ?[0-9]{3}[ .-]?[0-9]{4}|\(0[1-9][0-9]{0,3}\) ?[0-9]{3,8}(?:[ -][0-9]{3,5}){0,2})$"
    );
    if text[start] == b'(' {
        return longest(text, start, 32, parens, |end| {
            let total = digits(&text[start..end]).len();
            let trunk = text[start + 1] == b'0';
            (!trunk || (9..=12).contains(&total))
                && !digit_at(text, end)
                && !rule!(r"^[.-][0-9]").is_match(&text[end..])
                && ends_phone(text, end)
        });
    }
    let alone = |end: usize| {
        free_before(text, start)
            && !digit_at(text, end)
            && ends_phone(text, end)
            && !rule!(r"[0-9][.-]$").is_match(&text[..start])
            && !rule!(r"^[.-][0-9]").is_match(&text[end..])
    };
    let always = rule!(
        r"^(?:[2-9][0-9]{2}(?:-[0-9]{3}-|\.[0-9]{3}\.| [2-9][0-9]{2} )[0-9]{4}|1(?:-[2-9][0-9]{2}-[0-9]{3}-|\.[2-9][0-9]{2}\.[0-9]{3}\.| [2-9][0-9]{2} [2-9][0-9]{2} )[0-9]{4}|1[3-9][0-9](?:-[0-9]{4}-| [0-9]{4} )[0-9]{4}|0[1-9][0-9]?-[0-9]{3,4}-[0-9]{4})$"
    );
    let french = rule!(r"^0[1-9](?:( [0-9]{2}){4}|(\.[0-9]{2}){4}|(-[0-9]{2}){4})$");
    let long = rule!(r"^(?:0[1-9][0-9]{1,3}[ /][0-9]{6,8}|01[5-7][0-9]{1,2}-[0-9]{6,8})$");
    let three = rule!(r"^0[1-9][0-9]{1,3} [0-9]{3,4} [0-9]{3,4}$");
    let total = |end: usize| digits(&text[start..end]).len();
    longest(text, start, 24, always, alone)
        .or_else(|| {
            longest(text, start, 24, french, |end| {
                alone(end) && !rule!("[0-9] $").is_match(&text[..start]) && !rule!("^ [0-9]").is_match(&text[end..])
            })
        })
        .or_else(|| longest(text, start, 24, long, |end| alone(end) && (10..=12).contains(&total(end))))
        .or_else(|| longest(text, start, 24, three, |end| alone(end) && (10..=11).contains(&total(end))))
}

fn ssn(text: &[u8], start: usize) -> Option<usize> {
    let layout = rule!(r"^(?:[0-9]{3}-[0-9]{2}-[0-9]{4}|[0-9]{3} [0-9]{2} [0-9]{4})$");
    longest(text, start, 11, layout, |end| {
        let number: String = digits(&text[start..end]).iter().map(ToString::to_string).collect();
        let (area, group, serial) = (&number[..3], &number[3..5], &number[5..]);
        area != "000"
            && area != "666"
            && !area.starts_with('9')
            && group != "00"
            && serial != "0000"
            && free_before(text, start)
            && free_after(text, end)
            && !rule!(r"[0-9][.-]$").is_match(&text[..start])
            && !rule!(r"^[.-][0-9]").is_match(&text[end..])
    })
}

fn ipv4(text: &[u8], start: usize) -> Option<usize> {
    longest(text, start, 15, rule!(r"^[0-9]{1,3}(?:\.[0-9]{1,3}){3}$"), |end| {
        text[start..end].split(|byte| *byte == b'.').all(|octet| str::from_utf8(octet).unwrap().parse::<u8>().is_ok())
            && free_before(text, start)
            && free_after(text, end)
            && !rule!(r"[0-9]\.$").is_match(&text[..start])
            && !rule!(r"^\.[0-9]").is_match(&text[end..])
    })
}

fn ipv6(text: &[u8]) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    for run in rule!("[0-9A-Fa-f:.]+").find_iter(text) {
        let escaped =
            rule!(r"(?:^|[^\\])(?:\\\\)*\\$").is_match(&text[..run.start()]) && rule!("^[bf]").is_match(run.as_bytes());
        let run = run.start() + usize::from(escaped)..run.end();
        if run.len() > 64 {
            continue;
        }
        let percent = rule!("%$").is_match(&text[..run.start]);
        for escape in [0, 2, 4] {
            let start = run.start + escape;
            if escape == 0 || percent && start < run.end && rule!("%(?:25)?[0-9A-Fa-f]{2}$").is_match(&text[..start]) {
                found.extend(ipv6_in(text, start..run.end));
            }
        }
    }
    found
}

fn ipv6_in(text: &[u8], run: Range<usize>) -> Option<Range<usize>> {
    let mut range = run;
    while range.start < range.end
        && (text[range.start] == b'.' || text[range.start] == b':' && text.get(range.start + 1) != Some(&b':'))
    {
        range.start += 1;
    }
    while range.start < range.end
        && (text[range.end - 1] == b'.'
            || text[range.end - 1] == b':' && (range.end < 2 || text[range.end - 2] != b':'))
    {
        range.end -= 1;
    }
    let colons: Vec<usize> = range.clone().filter(|at| text[*at] == b':').collect();
    let (first, last) = (colons.first()?, colons.last()?);
    let is_address = |range: &Range<usize>| {
        range.start < range.end && {
            let text = str::from_utf8(&text[range.clone()]).unwrap();
            (text.bytes().any(|byte| byte.is_ascii_digit()) || text.matches(':').count() >= 3)
                && text.parse::<Ipv6Addr>().is_ok()
        }
    };
    let address =
        [range.clone(), range.start..*last, first + 1..range.end, first + 1..*last].into_iter().find(is_address)?;
    (free_before(text, address.start) && free_after(text, address.end)).then_some(address)
}

fn jwt(text: &[u8], start: usize) -> Option<usize> {
    let found = rule!(r"^(ey[AJ][A-Za-z0-9_-]*)\.[A-Za-z0-9_.-]*").captures(&text[start..])?;
    let header = found.get(1)?.as_bytes();
    let free = free_before(text, start) && !rule!("[_-]$").is_match(&text[..start]);
    let engine = GeneralPurpose::new(
        &URL_SAFE,
        GeneralPurposeConfig::new()
            .with_decode_allow_trailing_bits(true)
            .with_decode_padding_mode(DecodePaddingMode::RequireNone),
    );
    let json = engine.decode(header).ok()?;
    let object = json.first() == Some(&b'{') && json.trim_ascii_end().ends_with(b"}");
    let printable = json.iter().all(|byte| *byte >= b' ' || byte.is_ascii_whitespace());
    let end = start + rule!(r"\.*$").find(found.get(0)?.as_bytes())?.start();
    (free && (12..=4096).contains(&header.len()) && object && printable && end >= start + header.len() + 1 + 8)
        .then_some(end)
}

fn aws(text: &[u8], start: usize) -> Option<usize> {
    let end = start + rule!("^(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}").find(&text[start..])?.end();
    (free_before(text, start) && free_after(text, end)).then_some(end)
}

fn github(text: &[u8], start: usize) -> Option<usize> {
    let found = rule!("^(?:gh[pousr]_|github_pat_)[A-Za-z0-9_-]{20,}").find(&text[start..])?;
    free_before(text, start).then_some(start + found.end())
}

fn api_key(text: &[u8], start: usize) -> Option<usize> {
    let end = |found: regex::bytes::Match<'_>| start + found.end();
    let webhook = rule!("hooks[.]slack[.]com/services/T[A-Z0-9]{0,23}/B[A-Z0-9]{0,23}/$").is_match(&text[..start]);
    if let Some(secret) = rule!("^[A-Za-z0-9_-]{20,}").find(&text[start..])
        && webhook
    {
        return Some(end(secret));
    }
    let bot = free_before(text, start) || text[..start].ends_with(b"bot");
    if let Some(bot) = rule!("^[0-9]{8,10}:AA[A-Za-z0-9_-]{33}").find(&text[start..]).filter(|_| bot)
        && free_after(text, end(bot))
    {
        return Some(end(bot));
    }
    if !free_before(text, start) {
        return None;
    }
    if let Some(google) = rule!("^AIza[A-Za-z0-9_-]{35}").find(&text[start..]) {
        return free_after(text, start + google.end()).then_some(start + google.end());
    }
    let rule = rule!(
        "^(?:SG[.][A-Za-z0-9_-]{22}[.][A-Za-z0-9_-]{20,}|hv[sbr][.][A-Za-z0-9_-]{24,}|(?:AGE-SECRET-KEY-1|sk-admin-)[A-Za-z0-9_-]{20,}|do[or]_v1_[A-Za-z0-9_-]{40,}|(?:[sr]k_(?:live|test)_|xox[abcdeprs]-|xapp-)[A-Za-z0-9_-]{10,}|(?:glpat|gldt|glrt)-[A-Za-z0-9_-]{16,}|(?:whsec_|pypi-AgE|dckr_pat_|shpat_|shpss_|sk-ant-|sk-proj-|sk-svcacct-|lin_api_|pat-na1-|key-live_)[A-Za-z0-9_-]{20,}|(?:npm_|hf_)[A-Za-z0-9_-]{30,}|(?:rubygems_|dop_v1_)[A-Za-z0-9_-]{40,})"
    );
    rule.find(&text[start..]).map(|found| start + found.end())
}

fn pem(text: &[u8], start: usize) -> Option<usize> {
    let header = rule!("^-----BEGIN ([A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?)-----").captures(&text[start..])?;
    if header.get(1)?.len() >= 64 {
        return None;
    }
    // The footer may use the dashes of the header.
    let body = start + header.get(0)?.end() - 5;
    let closed = rule!(r"^[A-Za-z0-9+/= \r\n\\:,.()-]*?-----END[A-Z0-9 ]{0,64}-{0,5}").find(&text[body..]);
    let open = rule!(r"^[A-Za-z0-9+/= \r\n\\:,.()-]*").find(&text[body..]);
    Some(body + closed.or(open)?.end())
}
