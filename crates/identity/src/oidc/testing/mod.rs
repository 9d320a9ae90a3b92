//! An identity provider on loopback, and tokens signed by an implementation that is not ours.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::EncodingKey;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A time that all tests agree on.
pub(crate) const NOW: i64 = 1_800_000_000;
/// The audience that all tests use.
pub(crate) const AUDIENCE: &str = "sallyport-test";

/// A provider that answers as it is told.
pub(crate) struct Provider {
    pub(crate) url: String,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    answer: Mutex<Answer>,
    discoveries: AtomicUsize,
    key_requests: AtomicUsize,
    posts: Mutex<Vec<Post>>,
}

/// A form that was posted.
#[derive(Clone, Debug)]
pub(crate) struct Post {
    pub(crate) path: String,
    /// The request's head, in lower case but for values.
    pub(crate) head: String,
    pub(crate) form: String,
}

#[derive(Clone, Default)]
pub(crate) struct Answer {
    pub(crate) keys: Vec<Value>,
    /// Instead of its own URL.
    pub(crate) issuer: Option<String>,
    pub(crate) jwks_uri: Option<String>,
    /// Before each answer.
    pub(crate) delay: Duration,
    /// Accepts and hangs up.
    pub(crate) down: bool,
    /// Instead of the key set.
    pub(crate) raw_keys: Option<String>,
    /// Sends every request elsewhere.
    pub(crate) redirect: Option<String>,
    /// Members of the discovery document in place of the usual ones.
    pub(crate) discovery: Value,
    /// What a login with the browser begins with: status and body.
    pub(crate) begin: (u16, String),
    /// Answers to its polls, one after the other; the last one again and again.
    pub(crate) polls: Vec<(u16, String)>,
    /// Keeps connections open after an answer, and hangs up on whoever uses one again.
    pub(crate) lingers: bool,
}

impl Provider {
    pub(crate) async fn start(keys: Vec<Value>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(State::default());
        state.answer.lock().unwrap().keys = keys;
        let (own, serving) = (url.clone(), Arc::clone(&state));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, own.clone(), Arc::clone(&serving)));
            }
        });
        Self { url, state }
    }

    pub(crate) fn change(&self, change: impl FnOnce(&mut Answer)) {
        change(&mut self.state.answer.lock().unwrap());
    }

    pub(crate) fn state_copy(&self) -> Answer {
        self.state.answer.lock().unwrap().clone()
    }

    /// How often the key set was asked for.
    pub(crate) fn key_requests(&self) -> usize {
        self.state.key_requests.load(Ordering::SeqCst)
    }

    /// The forms that were posted to this path.
    pub(crate) fn posts(&self, path: &str) -> Vec<Post> {
        self.state.posts.lock().unwrap().iter().filter(|post| post.path == path).cloned().collect()
    }

    /// How often anything was asked for.
    pub(crate) fn requests(&self) -> usize {
        self.state.discoveries.load(Ordering::SeqCst) + self.key_requests()
    }
}

async fn serve(mut stream: TcpStream, own: String, state: Arc<State>) -> Option<()> {
    let mut request = Vec::new();
    while !request.windows(4).any(|window| window == b"\r\n\r\n") {
        let mut buffer = [0; 1024];
        let read = stream.read(&mut buffer).await.ok().filter(|read| *read > 0)?;
        request.extend_from_slice(&buffer[..read]);
    }
    let path = String::from_utf8_lossy(&request).split(' ').nth(1)?.to_owned();
    if request.starts_with(b"POST ") {
        return posted(stream, request, path, &state).await;
    }
    let answer = state.answer.lock().unwrap().clone();
    let discovery = path.ends_with("/.well-known/openid-configuration");
    if discovery { &state.discoveries } else { &state.key_requests }.fetch_add(1, Ordering::SeqCst);
    tokio::time::sleep(answer.delay).await;
    if answer.down {
        return None;
    }
    let (head, body) = match (answer.redirect, discovery) {
        (Some(target), _) => (format!("302 Found\r\nLocation: {target}"), String::new()),
        (None, true) => {
            let issuer = answer.issuer.unwrap_or_else(|| own.clone());
            let keys = answer.jwks_uri.unwrap_or_else(|| format!("{own}/keys"));
            let mut document = json!({ "issuer": issuer, "jwks_uri": keys });
            for (name, value) in answer.discovery.as_object().into_iter().flatten() {
                document[name] = value.clone();
            }
            ("200 OK".to_owned(), document.to_string())
        }
        (None, false) => {
            ("200 OK".to_owned(), answer.raw_keys.unwrap_or_else(|| json!({ "keys": answer.keys }).to_string()))
        }
    };
    finish(stream, &format!("{head}\r\n"), &body, answer.lingers).await
}

async fn finish(mut stream: TcpStream, head: &str, body: &str, lingers: bool) -> Option<()> {
    let close = if lingers { "" } else { "Connection: close\r\n" };
    let text = format!("HTTP/1.1 {head}Content-Length: {}\r\n{close}\r\n{body}", body.len());
    stream.write_all(text.as_bytes()).await.ok()?;
    if lingers {
        // Ready with the next request, which gets no answer.
        return stream.readable().await.ok();
    }
    stream.shutdown().await.ok()
}

/// Takes a form and answers as the script says.
async fn posted(mut stream: TcpStream, mut request: Vec<u8>, path: String, state: &State) -> Option<()> {
    let split = |request: &[u8]| {
        let text = String::from_utf8_lossy(request).into_owned();
        let (head, form) = text.split_once("\r\n\r\n").unwrap();
        (head.to_owned(), form.to_owned())
    };
    let length = |head: &str| {
        let head = head.to_ascii_lowercase();
        head.split("content-length: ").nth(1).unwrap().split("\r\n").next().unwrap().parse::<usize>().unwrap()
    };
    while split(&request).1.len() < length(&split(&request).0) {
        let mut buffer = [0; 1024];
        let read = stream.read(&mut buffer).await.ok().filter(|read| *read > 0)?;
        request.extend_from_slice(&buffer[..read]);
    }
    let (head, form) = split(&request);
    let (answer, (status, body)) = {
        state.posts.lock().unwrap().push(Post { path: path.clone(), head, form });
        let mut answer = state.answer.lock().unwrap();
        let said = match path.as_str() {
            "/device" => answer.begin.clone(),
            _ if answer.polls.len() > 1 => answer.polls.remove(0),
            _ => answer.polls.first().cloned().unwrap_or((500, String::new())),
        };
        (answer.clone(), said)
    };
    tokio::time::sleep(answer.delay).await;
    if answer.down || status == 0 {
        return None;
    }
    let moved = answer.redirect.map(|to| format!("Location: {to}\r\n")).unwrap_or_default();
    finish(stream, &format!("{status} X\r\n{moved}"), &body, answer.lingers).await
}

/// A signing key with its public half as a JWK without `kid` and `alg`.
pub(crate) struct Signer {
    key: EncodingKey,
    pub(crate) jwk: Value,
}

impl Signer {
    /// An RSA key with 2048 bits: made once, because making one takes a while.
    pub(crate) fn rsa() -> &'static Self {
        static RSA: LazyLock<Signer> = LazyLock::new(|| {
            let pair = rcgen::KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, rcgen::RsaKeySize::_2048).unwrap();
            let key = EncodingKey::from_rsa_pem(pair.serialize_pem().as_bytes()).unwrap();
            Signer::of(key, jsonwebtoken::Algorithm::RS256)
        });
        &RSA
    }

    pub(crate) fn p256() -> Self {
        let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
        Self::of(EncodingKey::from_ec_pem(pair.serialize_pem().as_bytes()).unwrap(), jsonwebtoken::Algorithm::ES256)
    }

    pub(crate) fn p384() -> Self {
        let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
        Self::of(EncodingKey::from_ec_pem(pair.serialize_pem().as_bytes()).unwrap(), jsonwebtoken::Algorithm::ES384)
    }

    pub(crate) fn ed25519() -> Self {
        use aws_lc_rs::signature::KeyPair as _;
        use base64::Engine as _;
        let random = aws_lc_rs::rand::SystemRandom::new();
        let document = aws_lc_rs::signature::Ed25519KeyPair::generate_pkcs8(&random).unwrap();
        let pair = aws_lc_rs::signature::Ed25519KeyPair::from_pkcs8(document.as_ref()).unwrap();
        let x = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(pair.public_key().as_ref());
        Self {
            key: EncodingKey::from_ed_der(document.as_ref()),
            jwk: serde_json::json!({ "kty": "OKP", "crv": "Ed25519", "x": x }),
        }
    }

    fn of(key: EncodingKey, algorithm: jsonwebtoken::Algorithm) -> Self {
        let jwk = jsonwebtoken::jwk::Jwk::from_encoding_key(&key, algorithm).unwrap();
        let mut jwk = serde_json::to_value(jwk).unwrap();
        jwk.as_object_mut().unwrap().remove("alg");
        Self { key, jwk }
    }

    /// The public half with more members.
    pub(crate) fn public(&self, more: Value) -> Value {
        let mut jwk = self.jwk.clone();
        jwk.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        jwk
    }

    /// A token; `header` says the algorithm.
    pub(crate) fn sign(&self, header: &Value, claims: &Value) -> String {
        let algorithm = header["alg"].as_str().unwrap().parse().unwrap();
        let signed = unsigned(header, claims);
        let signature = jsonwebtoken::crypto::sign(signed.as_bytes(), &self.key, algorithm).unwrap();
        format!("{signed}.{signature}")
    }
}

/// Header and claims of a token as they are signed.
pub(crate) fn unsigned(header: &Value, claims: &Value) -> String {
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}", encode(header), encode(claims))
}

/// Claims that are all right, with changes; a change to `null` takes a claim away.
pub(crate) fn claims(issuer: &str, changes: Value) -> Value {
    let mut claims = json!({
        "iss": issuer, "aud": AUDIENCE, "sub": "alice", "iat": NOW - 10, "exp": NOW + 600, "groups": ["dev", "agents"],
    });
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            claims.as_object_mut().unwrap().remove(name);
        } else {
            claims[name] = value.clone();
        }
    }
    claims
}
