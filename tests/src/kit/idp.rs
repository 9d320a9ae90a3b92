//! An identity provider with logins by device code (RFC 8628), whose people do what the test says. It keeps every secret that it gives out, so
//! that a test can look for them where none may be.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rcgen::{KeyPair, PublicKeyData, SigningKey};
use serde_json::{Value, json};

/// The gateway as its client.
pub const CLIENT: &str = "sallyport";

/// What becomes of the logins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum People {
    /// Nobody has decided yet.
    Wait,
    /// They log in.
    LogIn,
    /// They say no.
    SayNo,
}

struct State {
    people: People,
    away: bool,
    begun: usize,
    polls: usize,
    /// What it gave out and nobody else may see.
    secrets: Vec<String>,
    /// Secrets of clients that asked, as they sent them.
    shown: Vec<String>,
}

/// A running provider. It ends with the process.
pub struct Idp {
    url: String,
    state: Arc<Mutex<State>>,
}

impl Idp {
    /// Starts it on a free port of loopback.
    ///
    /// # Errors
    /// When there is none.
    pub fn start() -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).context("bind a port for the identity provider")?;
        let url = format!("http://{}", listener.local_addr()?);
        let state =
            State { people: People::Wait, away: false, begun: 0, polls: 0, secrets: Vec::new(), shown: Vec::new() };
        let state = Arc::new(Mutex::new(state));
        let key = Arc::new(KeyPair::generate_for(&rcgen::PKCS_ED25519).context("make a key")?);
        let (own, serving) = (url.clone(), Arc::clone(&state));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (own, serving, key) = (own.clone(), Arc::clone(&serving), Arc::clone(&key));
                std::thread::spawn(move || serve(stream, &own, &serving, &key));
            }
        });
        Ok(Self { url, state })
    }

    /// Its issuer's URL.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The gateway's configuration of it.
    pub fn config(&self) -> String {
        format!(
            "issuers:\n  - url: \"{}\"\n    audience: elsewhere\n    kind: human\n    device: {{ client_id: {CLIENT}, client_secret: {{ env: \
             IDP_SECRET }}, scope: \"openid groups\" }}\n",
            self.url
        )
    }

    /// What becomes of the logins from now on.
    pub fn people(&self, people: People) {
        lock(&self.state).people = people;
    }

    /// From now on it hangs up on everybody, or no longer.
    pub fn away(&self, away: bool) {
        lock(&self.state).away = away;
    }

    /// How many logins were begun.
    pub fn begun(&self) -> usize {
        lock(&self.state).begun
    }

    /// How often it was asked what came of one.
    pub fn polls(&self) -> usize {
        lock(&self.state).polls
    }

    /// Device codes and tokens that it gave out.
    pub fn secrets(&self) -> Vec<String> {
        lock(&self.state).secrets.clone()
    }

    /// How clients proved themselves: values of `Authorization`.
    pub fn shown(&self) -> Vec<String> {
        lock(&self.state).shown.clone()
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn serve(mut stream: TcpStream, own: &str, state: &Mutex<State>, key: &KeyPair) -> Option<()> {
    stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
    let (path, head, form) = request(&mut stream)?;
    if lock(state).away {
        return None;
    }
    let (status, body) = match path.as_str() {
        "/.well-known/openid-configuration" => (200, discovery(own)),
        "/keys" => {
            let x = URL_SAFE_NO_PAD.encode(key.der_bytes());
            (200, json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "x": x, "kid": "1"}]}))
        }
        "/device" => (200, begin(own, state, &head)),
        "/token" => poll(own, state, key, &form)?,
        _ => (404, json!({})),
    };
    let body = body.to_string();
    let answer = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len());
    stream.write_all(answer.as_bytes()).ok()
}

/// Path, head and body of a request.
fn request(stream: &mut TcpStream) -> Option<(String, String, String)> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = header(head, "content-length").and_then(|value| value.parse().ok()).unwrap_or(0);
            if body.len() >= length {
                let path = head.split(' ').nth(1)?.to_owned();
                return Some((path, head.to_owned(), body.to_owned()));
            }
        }
        let mut buffer = [0; 4096];
        let read = stream.read(&mut buffer).ok().filter(|read| *read > 0)?;
        bytes.extend_from_slice(buffer.get(..read)?);
    }
}

fn header(head: &str, name: &str) -> Option<String> {
    let line = head.lines().find_map(|line| line.split_once(": ").filter(|(key, _)| key.eq_ignore_ascii_case(name)));
    line.map(|(_, value)| value.trim().to_owned())
}

fn discovery(own: &str) -> Value {
    json!({
        "issuer": own, "jwks_uri": format!("{own}/keys"), "token_endpoint": format!("{own}/token"),
        "device_authorization_endpoint": format!("{own}/device"),
    })
}

fn begin(own: &str, state: &Mutex<State>, head: &str) -> Value {
    let mut state = lock(state);
    state.begun += 1;
    state.shown.extend(header(head, "authorization"));
    let device_code = format!("device-code-{}-of-nobody-else", state.begun);
    state.secrets.push(device_code.clone());
    let code = format!("CODE-{:04}", state.begun);
    json!({
        "device_code": device_code, "user_code": code, "verification_uri": format!("{own}/activate"),
        "verification_uri_complete": format!("{own}/activate?user_code={code}"), "expires_in": 120, "interval": 1,
    })
}

fn poll(own: &str, state: &Mutex<State>, key: &KeyPair, form: &str) -> Option<(u16, Value)> {
    let mut state = lock(state);
    state.polls += 1;
    if !state.secrets.iter().any(|secret| form.contains(&format!("device_code={secret}&"))) {
        return Some((400, json!({"error": "invalid_grant"})));
    }
    match state.people {
        People::Wait => Some((400, json!({"error": "authorization_pending"}))),
        People::SayNo => Some((400, json!({"error": "access_denied"}))),
        People::LogIn => {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_secs();
            let claims = json!({
                "iss": own, "aud": CLIENT, "sub": "alice", "groups": ["staff"], "iat": now, "exp": now + 600,
            });
            let token = sign(key, &claims)?;
            let refresh = format!("refresh-token-{}", state.polls);
            state.secrets.extend([token.clone(), refresh.clone()]);
            Some((200, json!({"id_token": token, "access_token": "opaque-access", "refresh_token": refresh})))
        }
    }
}

fn sign(key: &KeyPair, claims: &Value) -> Option<String> {
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", encode(&json!({"alg": "EdDSA", "kid": "1"})), encode(claims));
    let signature = SigningKey::sign(key, signed.as_bytes()).ok()?;
    Some(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
}
