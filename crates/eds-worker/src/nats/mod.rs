//! The connection to NATS, kept forever, and the log lines that say why there is none.

mod causes;
mod creds;
mod tls;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_nats::{
    Auth, AuthError, Client, ClientError, ConnectOptions, Event, Server, ServerAddr, jetstream,
};
use percent_encoding::percent_decode_str;
use tokio::sync::{Notify, watch};

use crate::backoff::exponential;
use crate::config::{Config, Credentials};
use crate::metrics::count;
use crate::state::State;
use creds::Creds;

/// The first and longest wait between two attempts to connect.
const RECONNECT: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// How often to ping. A dead peer is noticed after the third unanswered one.
const PING: Duration = Duration::from_secs(10);

/// What the last use of the credentials came to.
#[derive(Default)]
struct Login {
    /// Why the credentials cannot be used.
    problem: Option<String>,
    /// Whom they name.
    who: Option<String>,
}

/// Shared with the callback that logs in at each connection.
type LastLogin = Arc<Mutex<Login>>;

/// Starts connecting. Returns the client immediately; it connects in the background, as often as
/// necessary, and notifies `connected` each time it succeeds.
///
/// # Errors
/// The URL, the credentials or the files for TLS cannot be read: wrong settings, which no retry
/// fixes.
pub(crate) async fn connect(
    config: &Config,
    worker: &str,
    state: &Arc<State>,
    connected: &Arc<Notify>,
) -> Result<Client, String> {
    let servers = servers(config)?;
    let (on_event, on_attempt) = (Arc::clone(state), Arc::clone(state));
    let connected = Arc::clone(connected);
    let login = LastLogin::default();
    let options = options(config, &servers, &login, &format!("agent-executor {worker}"))?;
    let settings = config.clone();
    options
        .retry_on_initial_connect()
        .reconnect_delay_callback(|attempt| {
            let attempt = u32::try_from(attempt).unwrap_or(u32::MAX);
            if attempt <= 1 {
                Duration::ZERO
            } else {
                exponential(RECONNECT.0, RECONNECT.1, attempt)
            }
        })
        // Called before every attempt; it only checks why the previous one failed.
        .reconnect_to_server_callback(move |servers, _| {
            if let Some(cause) = why(&servers, &login, &settings) {
                lost(&on_attempt, cause);
            }
            async { None }
        })
        .event_callback(move |event| {
            happened(&on_event, &connected, &event);
            async {}
        })
        .connect(servers)
        .await
        .map_err(|error| format!("cannot start to connect to NATS: {error}"))
}

/// Returns JetStream on a connection, in the claim's domain.
pub(crate) fn jetstream(config: &Config, client: Client) -> jetstream::Context {
    match &config.domain {
        Some(domain) => jetstream::with_domain(client, domain),
        None => jetstream::new(client),
    }
}

/// Returns a connection for messages only, and whether it is lost: it never reconnects by itself.
///
/// # Errors
/// It cannot connect now.
pub(crate) async fn fetching(
    config: &Config,
    worker: &str,
) -> Result<(Client, watch::Receiver<bool>), String> {
    let (end, lost) = watch::channel(false);
    let servers = servers(config)?;
    let login = LastLogin::default();
    let name = format!("agent-executor {worker}, messages");
    let options =
        options(config, &servers, &login, &name)?.max_reconnects(1).event_callback(move |event| {
            if matches!(event, Event::Disconnected | Event::Closed) {
                end.send_replace(true);
            }
            async {}
        });
    let client = options
        .connect(servers)
        .await
        .map_err(|error| format!("cannot connect to NATS for messages: {error}"))?;
    Ok((client, lost))
}

fn options(
    config: &Config,
    servers: &[ServerAddr],
    login: &LastLogin,
    name: &str,
) -> Result<ConnectOptions, String> {
    let options = logging_in(config, servers, login)?
        .name(name)
        .connection_timeout(Duration::from_secs(5))
        .request_timeout(Some(Duration::from_secs(3)))
        .ping_interval(PING);
    tls::with(&config.tls, options)
}

/// Parses the servers in NATS_URL. A URL contains a password, and if one of its characters is not
/// encoded, anything else may be part of it; so no error repeats any of it.
fn servers(config: &Config) -> Result<Vec<ServerAddr>, String> {
    let mut urls = config.nats_url.0.clone();
    if let Credentials::UserPassword(user, password) = &config.credentials {
        // Kubernetes puts the variables into the URL as they are, whatever characters they hold.
        urls = urls.replace(&format!("{user}:{password}@"), "");
    }
    if urls.contains("$(") {
        return Err("NATS_URL holds a $(VARIABLE) that Kubernetes did not replace: it knows only \
            variables of this container, those of spec.secretRefs' env among them; is its name \
            spelled right?"
            .to_owned());
    }
    let server = |url: &str| {
        let server: ServerAddr = url.trim().parse().ok()?;
        let url = server.clone().into_inner();
        let websocket = matches!(url.scheme(), "ws" | "wss");
        let bare = matches!(url.path(), "" | "/") && url.query().is_none();
        (url.has_host() && url.fragment().is_none() && (bare || websocket)).then_some(server)
    };
    urls.split(',').map(server).collect::<Option<_>>().ok_or_else(|| {
        "NATS_URL is no NATS address such as nats://nats.nats.svc:4222 (in a user name or a \
            password, characters other than letters and digits are percent-encoded)"
            .to_owned()
    })
}

/// Returns the login in the URLs: the client library does not use it.
fn in_url(servers: &[ServerAddr]) -> Option<Credentials> {
    let plain = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    servers.iter().find_map(|server| {
        let user = plain(server.username()?);
        Some(match server.password() {
            Some(password) => Credentials::UserPassword(user, plain(password)),
            None => Credentials::Token(user),
        })
    })
}

/// Starts the options of a connection with how it logs in. A credentials file is read again by each
/// connection, so that a renewed one takes effect without a restart.
///
/// # Errors
/// The credentials cannot be used, now or ever.
fn logging_in(
    config: &Config,
    servers: &[ServerAddr],
    login: &LastLogin,
) -> Result<ConnectOptions, String> {
    let credentials = match &config.credentials {
        Credentials::Url => in_url(servers),
        other => Some(other.clone()),
    };
    match credentials {
        None | Some(Credentials::Url) => Ok(ConnectOptions::new()),
        Some(Credentials::UserPassword(user, password)) => {
            Ok(ConnectOptions::new().user_and_password(user, password))
        }
        Some(Credentials::Token(token)) => Ok(ConnectOptions::new().token(token)),
        Some(credentials) => {
            creds(&credentials)?;
            let login = Arc::clone(login);
            Ok(ConnectOptions::with_auth_callback(move |nonce| {
                let signed = sign(&credentials, &nonce, &login);
                async { signed.map_err(AuthError::new) }
            }))
        }
    }
}

/// Reads the credentials file.
fn creds(credentials: &Credentials) -> Result<Creds, String> {
    const FIX: &str = "is that key of the Secret in the claim's spec.nats.credentials the right \
        one?";
    let read = |text: &str| {
        let creds = Creds::parse(text);
        creds.map_err(|why| format!("{credentials:?} is no credentials file: {why}; {FIX}"))
    };
    match credentials {
        Credentials::CredsFile(path) => {
            read(&String::from_utf8_lossy(&tls::read("NATS_CREDS", path, FIX)?))
        }
        Credentials::Creds(text) => read(text),
        _ => Err("there are no credentials".to_owned()),
    }
}

/// Answers the server's challenge with what the credentials file holds now.
fn sign(credentials: &Credentials, nonce: &[u8], login: &LastLogin) -> Result<Auth, String> {
    let creds = creds(credentials);
    let who = creds.as_ref().ok().map(ToString::to_string);
    let signed = creds.and_then(|creds| {
        let signed = creds.sign(nonce);
        signed.map_err(|why| format!("{credentials:?}: {why}: renew it in its Secret"))
    });
    let mut login = login.lock().unwrap_or_else(PoisonError::into_inner);
    *login = Login { problem: signed.as_ref().err().cloned(), who };
    signed
}

/// Returns why there is no connection, and what to do about it.
fn why(servers: &[Server], login: &LastLogin, config: &Config) -> Option<String> {
    let failure = last_failure(servers)?;
    let login = login.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(problem) = &login.problem {
        return Some(problem.clone());
    }
    Some(match causes::fix(&failure, config, login.who.as_deref()) {
        Some(fix) => format!("{failure}; {fix}"),
        None => failure,
    })
}

fn last_failure(servers: &[Server]) -> Option<String> {
    let failed = servers.iter().filter(|server| server.failed_attempts > 0);
    let causes: Vec<_> = failed
        .filter_map(|server| {
            let cause = server.last_error.as_ref()?;
            Some(format!("{}:{}: {cause}", server.addr.host(), server.addr.port()))
        })
        .collect();
    (!causes.is_empty()).then(|| causes.join("; "))
}

fn lost(state: &State, cause: String) {
    let cause = format!("not connected to NATS: {cause}");
    if state.nats(Some(cause.clone())) {
        tracing::warn!(%cause, "trying to connect until it succeeds");
    }
}

fn happened(state: &State, connected: &Notify, event: &Event) {
    match event {
        Event::Connected => {
            count(&state.metrics.nats_connects);
            state.nats(None);
            tracing::info!("connected to NATS");
            connected.notify_one();
        }
        Event::Disconnected => lost(state, "the connection was lost".to_owned()),
        // The cause of a failed attempt comes with the next one; this is what would be reported
        // nowhere else, such as a name that cannot be resolved.
        Event::ClientError(ClientError::Other(cause)) if state.unready().is_some() => {
            tracing::debug!(%cause, "an attempt to connect failed");
        }
        other => tracing::warn!(event = %other, "NATS"),
    }
}
