//! The connection to NATS, kept for ever, and the log lines that say why there is none.

use std::sync::Arc;
use std::time::Duration;

use async_nats::{Client, ClientError, ConnectOptions, Event, Server, ServerAddr};
use tokio::sync::Notify;

use crate::backoff::exponential;
use crate::config::{Config, Credentials};
use crate::metrics::count;
use crate::state::State;

/// First and longest wait between two attempts to connect.
const RECONNECT: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// A dead peer is noticed after the third of these goes unanswered.
const PING: Duration = Duration::from_secs(10);

/// Start connecting. The client is returned at once and connects in the background, again and again;
/// `connected` is notified each time it succeeds.
///
/// # Errors
/// The URL or the credentials cannot be read: wrong settings, which no retry mends.
pub(crate) async fn connect(
    config: &Config,
    worker: &str,
    state: &Arc<State>,
    connected: &Arc<Notify>,
) -> Result<Client, String> {
    let mut servers = Vec::new();
    for url in config.nats_url.split(',') {
        // The URL may hold a password, so it is not repeated.
        let server: ServerAddr = url.trim().parse().map_err(|error| {
            format!("NATS_URL is no NATS address such as nats://nats.nats.svc:4222: {error}")
        })?;
        servers.push(server);
    }
    let (on_event, on_attempt) = (Arc::clone(state), Arc::clone(state));
    let connected = Arc::clone(connected);
    let options = ConnectOptions::new()
        .name(format!("agent-executor {worker}"))
        .retry_on_initial_connect()
        .connection_timeout(Duration::from_secs(5))
        .request_timeout(Some(Duration::from_secs(3)))
        .ping_interval(PING)
        .reconnect_delay_callback(|attempt| {
            let attempt = u32::try_from(attempt).unwrap_or(u32::MAX);
            if attempt <= 1 {
                Duration::ZERO
            } else {
                exponential(RECONNECT.0, RECONNECT.1, attempt)
            }
        })
        // Asked before every attempt; it only looks why the one before failed.
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

async fn with(
    credentials: &Credentials,
    options: ConnectOptions,
) -> Result<ConnectOptions, String> {
    let unreadable = |error: std::io::Error| format!("{credentials:?} cannot be read: {error}");
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
        // The cause of a failed attempt comes with the next one; this is what has no other place,
        // such as a name that cannot be resolved.
        Event::ClientError(ClientError::Other(cause)) if state.unready().is_some() => {
            tracing::debug!(%cause, "an attempt to connect failed");
        }
        other => tracing::warn!(event = %other, "NATS"),
    }
}
