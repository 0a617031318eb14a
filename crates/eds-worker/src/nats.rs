//! The connection to NATS, kept forever, and the log lines that say why there is none.

use std::sync::Arc;
use std::time::Duration;

use async_nats::{Client, ClientError, ConnectOptions, Event, Server, ServerAddr};
use tokio::sync::{Notify, watch};

use crate::backoff::exponential;
use crate::config::{Config, Credentials, Secret};
use crate::metrics::count;
use crate::state::State;

/// The first and longest wait between two attempts to connect.
const RECONNECT: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// How often to ping. A dead peer is noticed after the third unanswered one.
const PING: Duration = Duration::from_secs(10);

/// Starts connecting. Returns the client immediately; it connects in the background, as often as
/// necessary, and notifies `connected` each time it succeeds.
///
/// # Errors
/// The URL or the credentials cannot be read: wrong settings, which no retry fixes.
pub(crate) async fn connect(
    config: &Config,
    worker: &str,
    state: &Arc<State>,
    connected: &Arc<Notify>,
) -> Result<Client, String> {
    let servers = servers(&config.nats_url)?;
    let (on_event, on_attempt) = (Arc::clone(state), Arc::clone(state));
    let connected = Arc::clone(connected);
    let options = options(&format!("agent-executor {worker}"))
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
            if let Some(cause) = last_failure(&servers) {
                lost(&on_attempt, cause);
            }
            async { None }
        })
        .event_callback(move |event| {
            happened(&on_event, &connected, &event);
            async {}
        });
    with(&config.credentials, options)
        .await?
        .connect(servers)
        .await
        .map_err(|error| format!("cannot start to connect to NATS: {error}"))
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
    let options = options(&format!("agent-executor {worker}, messages"))
        .max_reconnects(1)
        .event_callback(move |event| {
            if matches!(event, Event::Disconnected | Event::Closed) {
                end.send_replace(true);
            }
            async {}
        });
    let client =
        with(&config.credentials, options).await?.connect(servers(&config.nats_url)?).await;
    let client = client.map_err(|error| format!("cannot connect to NATS for messages: {error}"))?;
    Ok((client, lost))
}

fn options(name: &str) -> ConnectOptions {
    ConnectOptions::new()
        .name(name)
        .connection_timeout(Duration::from_secs(5))
        .request_timeout(Some(Duration::from_secs(3)))
        .ping_interval(PING)
}

/// Parses the servers in NATS_URL. A URL contains a password, and if one of its characters is not
/// encoded, anything else may be part of it; so no error repeats any of it.
fn servers(urls: &Secret) -> Result<Vec<ServerAddr>, String> {
    let server = |url: &str| {
        let server: ServerAddr = url.trim().parse().ok()?;
        let url = server.clone().into_inner();
        let websocket = matches!(url.scheme(), "ws" | "wss");
        let bare = matches!(url.path(), "" | "/") && url.query().is_none();
        (url.has_host() && url.fragment().is_none() && (bare || websocket)).then_some(server)
    };
    urls.0.split(',').map(server).collect::<Option<_>>().ok_or_else(|| {
        "NATS_URL is no NATS address such as nats://nats.nats.svc:4222 (in a user name or a \
            password, characters other than letters and digits are percent-encoded)"
            .to_owned()
    })
}

async fn with(
    credentials: &Credentials,
    options: ConnectOptions,
) -> Result<ConnectOptions, String> {
    // The library's message may repeat what it read.
    let unreadable = |error: std::io::Error| {
        format!("{credentials:?} cannot be read as a .creds file: {}", error.kind())
    };
    match credentials {
        Credentials::Url => Ok(options),
        Credentials::UserPassword(user, password) => {
            Ok(options.user_and_password(user.clone(), password.clone()))
        }
        Credentials::Token(token) => Ok(options.token(token.clone())),
        Credentials::Creds(text) => options.credentials(text).map_err(unreadable),
        Credentials::CredsFile(path) => options.credentials_file(path).await.map_err(unreadable),
    }
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
