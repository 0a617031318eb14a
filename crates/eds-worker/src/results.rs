//! The effect of a message: a line on standard output, and a row if there is a database.

use std::io::Write;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use sqlx::ConnectOptions;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use tokio::time::{sleep, timeout};

use crate::config::{Config, Secret};
use crate::delivery::Delivery;
use crate::handler::Done;
use crate::sqlstate::{Fault, fault};
use crate::state::State;

/// How long one query may take before the database counts as away.
const ANSWER: Duration = Duration::from_secs(5);

/// How long a connection may take before the database counts as away.
const CONNECT: Duration = Duration::from_secs(2);

/// How often to check whether the database answers.
const LOOK: Duration = Duration::from_secs(2);

const KNOWN: &str = "SELECT 1 FROM agent_executions WHERE consumer = $1 AND stream = $2 \
    AND stream_sequence = $3 AND published_at = to_timestamp($4)";

const STORE: &str = "INSERT INTO agent_executions (consumer, stream, message_id, stream_sequence, \
    subject, published_at, deliveries, task, payload, worker, duration_ms) VALUES ($1, $2, $3, $4, \
    $5, to_timestamp($6), $7, $8, $9, $10, $11) ON CONFLICT DO NOTHING";

/// A row that nothing can be wrong with; never committed.
const HARMLESS: &str = "INSERT INTO agent_executions (consumer, stream, message_id, \
    stream_sequence, subject, published_at, deliveries, payload, worker, duration_ms) VALUES ($1, \
    $2, 'harmless', 0, 'harmless', to_timestamp(0), 1, '', $3, 0) ON CONFLICT DO NOTHING";

/// Why a result was not stored.
#[derive(Debug)]
pub(crate) enum Unstored {
    /// The database is away, or not ready for us: not the message's fault, so it waits.
    Away(String),
    /// No answer for this result, while another row was accepted: chance, or the message's fault.
    Unanswered(String),
    /// The database does not accept this result: another attempt would end the same way.
    Refused(String),
}

/// Where results go.
pub(crate) struct Results {
    pool: Option<PgPool>,
    consumer: String,
    worker: String,
}

/// Parses the options in `url`.
///
/// # Errors
/// It is not a PostgreSQL URL; the text does not repeat it, because it contains the password.
pub(crate) fn options(url: &Secret) -> Result<PgConnectOptions, String> {
    if !url.0.starts_with("postgres://") && !url.0.starts_with("postgresql://") {
        return Err("DATABASE_URL does not begin with postgres://".to_owned());
    }
    let options = PgConnectOptions::from_str(&url.0)
        // The library's message may repeat parts of it.
        .map_err(|_| {
            "DATABASE_URL is not a PostgreSQL URL such as \
                postgres://USER:PASSWORD@HOST:PORT/DATABASE (in USER and PASSWORD, characters \
                other than letters and digits are percent-encoded)"
                .to_owned()
        })?;
    Ok(options.application_name("agent-executor").disable_statement_logging())
}

impl Results {
    /// # Errors
    /// `DATABASE_URL` is wrong.
    pub(crate) fn new(config: &Config, worker: &str) -> Result<Self, String> {
        let pool = match &config.database_url {
            None => None,
            Some(url) => Some(
                PgPoolOptions::new()
                    // Rows are small and quick: a few connections serve many messages, and ten pods
                    // must not use up the database's.
                    .max_connections(4)
                    .acquire_timeout(CONNECT)
                    .connect_lazy_with(options(url)?),
            ),
        };
        Ok(Self { pool, consumer: config.consumer.clone(), worker: worker.to_owned() })
    }

    /// Checks forever whether the database answers and has the table; without a database there is
    /// nothing to do.
    pub(crate) async fn watch(self: Arc<Self>, state: Arc<State>) {
        let Some(pool) = &self.pool else { return };
        loop {
            let asked = sqlx::query("SELECT 1 FROM agent_executions LIMIT 0").execute(pool);
            let cause = match timeout(ANSWER, asked).await {
                Ok(Ok(_)) => None,
                Ok(Err(error)) => Some(cause(&error)),
                Err(_) => {
                    Some(format!("the database did not answer within {} s", ANSWER.as_secs()))
                }
            };
            if state.database(cause.clone()) {
                match cause {
                    None => tracing::info!("the database answers"),
                    Some(cause) => tracing::warn!(%cause, "waiting for the database"),
                }
            }
            sleep(LOOK).await;
        }
    }

    /// Reports whether this message's result is already stored.
    ///
    /// # Errors
    /// The database cannot tell.
    pub(crate) async fn known(&self, delivery: &Delivery) -> Result<bool, String> {
        let Some(pool) = &self.pool else { return Ok(false) };
        let query = sqlx::query(KNOWN)
            .bind(&self.consumer)
            .bind(&delivery.stream)
            .bind(i64::try_from(delivery.sequence).unwrap_or(i64::MAX))
            .bind(seconds(delivery.published));
        let row = answer(query.fetch_optional(pool)).await.map_err(|(cause, _)| cause)?;
        Ok(row.is_some())
    }

    /// Stores the result, unless it is already stored. Returns whether it is new.
    ///
    /// # Errors
    /// It was not stored.
    pub(crate) async fn store(
        &self,
        delivery: &Delivery,
        done: &Done,
        duration: Duration,
    ) -> Result<bool, Unstored> {
        let Some(pool) = &self.pool else { return Ok(true) };
        let (cause, blamed) = match self.insert(pool, delivery, done, duration).await {
            Ok(new) => return Ok(new),
            Err(failed) => failed,
        };
        match blamed {
            Blamed::Code(Fault::Message) => return Err(Unstored::Refused(cause)),
            Blamed::Code(Fault::Unclear) | Blamed::Silence if self.takes_another(pool).await => {}
            Blamed::Code(_) | Blamed::Silence => return Err(Unstored::Away(cause)),
        }
        // The database's permissions and schema affect all rows, so what it says about this one
        // alone is the message's fault, unless somebody fixed it in between.
        match self.insert(pool, delivery, done, duration).await {
            Ok(new) => Ok(new),
            Err((cause, Blamed::Code(Fault::Message | Fault::Unclear))) => {
                Err(Unstored::Refused(cause))
            }
            Err((cause, Blamed::Code(Fault::Database))) => Err(Unstored::Away(cause)),
            Err((cause, Blamed::Silence)) => Err(Unstored::Unanswered(cause)),
        }
    }

    async fn insert(
        &self,
        pool: &PgPool,
        delivery: &Delivery,
        done: &Done,
        duration: Duration,
    ) -> Result<bool, (String, Blamed)> {
        let query = sqlx::query(STORE)
            .bind(&self.consumer)
            .bind(&delivery.stream)
            .bind(&delivery.id)
            .bind(i64::try_from(delivery.sequence).unwrap_or(i64::MAX))
            .bind(delivery.subject.as_str())
            .bind(seconds(delivery.published))
            .bind(delivery.count)
            .bind(&done.task)
            .bind(delivery.payload.as_ref())
            .bind(&self.worker)
            .bind(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX));
        Ok(answer(query.execute(pool)).await?.rows_affected() > 0)
    }

    /// Reports whether the database accepts a row that nothing can be wrong with.
    async fn takes_another(&self, pool: &PgPool) -> bool {
        let tried = async {
            let mut transaction = pool.begin().await?;
            let query = sqlx::query(HARMLESS).bind(&self.consumer).bind("harmless");
            query.bind(&self.worker).execute(&mut *transaction).await?;
            transaction.rollback().await
        };
        answer(tried).await.is_ok()
    }

    /// Prints the line on standard output.
    ///
    /// # Errors
    /// Nobody reads standard output; without a database that is the only effect.
    pub(crate) fn print(
        &self,
        delivery: &Delivery,
        done: &Done,
        duration: Duration,
        stored: bool,
    ) -> Result<(), String> {
        let line = json!({
            "event": "processed",
            "id": delivery.id,
            "stream": delivery.stream,
            "sequence": delivery.sequence,
            "subject": delivery.subject.as_str(),
            "delivery": delivery.count,
            "duration_ms": u64::try_from(duration.as_millis()).unwrap_or(u64::MAX),
            "task": done.task,
            "new": stored,
            "worker": self.worker,
        });
        let mut stdout = std::io::stdout().lock();
        writeln!(stdout, "{line}")
            .and_then(|()| stdout.flush())
            .map_err(|error| format!("cannot write to standard output: {error}"))
    }

    /// Closes connections the way PostgreSQL prefers.
    pub(crate) async fn close(&self) {
        if let Some(pool) = &self.pool {
            let _ = timeout(Duration::from_secs(1), pool.close()).await;
        }
    }
}

/// Who an error blames.
enum Blamed {
    Code(Fault),
    /// The connection broke, or nothing came in time.
    Silence,
}

async fn answer<T>(
    asked: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, (String, Blamed)> {
    match timeout(ANSWER, asked).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err((cause(&error), blame(&error))),
        Err(_) => {
            let seconds = ANSWER.as_secs();
            Err((format!("the database did not answer within {seconds} s"), Blamed::Silence))
        }
    }
}

fn blame(error: &sqlx::Error) -> Blamed {
    match error {
        sqlx::Error::Encode(_) => Blamed::Code(Fault::Message),
        sqlx::Error::Database(error) => {
            Blamed::Code(error.code().map_or(Fault::Unclear, |code| fault(&code)))
        }
        sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::Tls(_)
        | sqlx::Error::Configuration(_) => Blamed::Code(Fault::Database),
        _ => Blamed::Silence,
    }
}

/// Returns one sentence, with the fix if there is one.
pub(crate) fn cause(error: &sqlx::Error) -> String {
    let code = match error {
        sqlx::Error::Database(error) => error.code().map(|code| code.into_owned()),
        sqlx::Error::Io(error) => return format!("the database cannot be reached: {error}"),
        sqlx::Error::PoolTimedOut => {
            let seconds = CONNECT.as_secs();
            return format!("the database cannot be reached: no connection within {seconds} s");
        }
        _ => None,
    };
    let said = match error {
        sqlx::Error::Database(error) => error.message().to_owned(),
        other => other.to_string(),
    };
    match code.as_deref() {
        Some("28P01" | "28000") => {
            format!("the database refuses the login: {said}: correct DATABASE_URL in its Secret")
        }
        Some("3D000") => {
            format!("the database does not exist: {said}: create it, or correct DATABASE_URL")
        }
        Some("42P01") => {
            format!(
                "the database is not migrated: {said}: run `agent-executor migrate`, the claim's \
                    spec.initContainer"
            )
        }
        Some("57P03") => format!("the database is not ready: {said}"),
        _ => format!("the database: {said}"),
    }
}

/// Converts nanoseconds to seconds for `to_timestamp`; PostgreSQL only keeps microseconds.
fn seconds(nanoseconds: i128) -> f64 {
    (nanoseconds / 1000) as f64 / 1e6
}
