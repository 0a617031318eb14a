//! `agent-executor migrate`: the init container's command.

use std::borrow::Cow;
use std::time::Duration;

use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions, Connection, SqlSafeStr};
use tokio::time::{Instant, sleep, timeout};

use crate::backoff::exponential;
use crate::config::Secret;
use crate::results::{cause, options};
use crate::sqlstate::wrong_address;

/// How long one attempt to connect may take.
const CONNECT: Duration = Duration::from_secs(5);

/// A table of our own: other programs may use the database and the same kind of migrations.
const TABLE: &str = "agent_executor_migrations";

fn migrator() -> Migrator {
    let simple = |version, name, sql: &'static str| {
        let kind = MigrationType::Simple;
        Migration::new(version, Cow::Borrowed(name), kind, sql.into_sql_str(), false)
    };
    let mut migrator = Migrator::with_migrations(vec![
        simple(1, "agent executions", include_str!("../migrations/0001_agent_executions.sql")),
        simple(
            2,
            "one row for each stored message",
            include_str!("../migrations/0002_one_row_for_each_stored_message.sql"),
        ),
    ]);
    migrator.dangerous_set_table_name(TABLE);
    // A release that is rolled back finds the newer one's migrations, and can live with them.
    migrator.set_ignore_missing(true);
    migrator
}

/// Waits for the database, at most `limit` in total, and brings it up to date. Safe to run
/// concurrently: an advisory lock admits one at a time.
///
/// # Errors
/// One sentence that says why, with the fix if there is one.
pub(crate) async fn migrate(url: &Secret, limit: Duration) -> Result<(), String> {
    let options = options(url)?;
    let until = Instant::now() + limit;
    let mut connection = connect(&options, until, limit).await?;
    let migrator = migrator();
    let left = until.saturating_duration_since(Instant::now()).max(CONNECT);
    match timeout(left, migrator.run(&mut connection)).await {
        Ok(Ok(())) => {}
        Ok(Err(MigrateError::Execute(error))) => {
            return Err(format!("cannot migrate: {}", cause(&error)));
        }
        Ok(Err(MigrateError::ExecuteMigration(error, version))) => {
            return Err(format!("migration {version} failed: {}", cause(&error)));
        }
        Ok(Err(error)) => return Err(format!("cannot migrate: {error}")),
        Err(_) => {
            return Err(format!(
                "cannot migrate: not done within {} s; somebody else may hold the migrations' lock",
                left.as_secs()
            ));
        }
    }
    let _ = timeout(CONNECT, connection.close()).await;
    tracing::info!(migrations = migrator.iter().count(), "the database is up to date");
    Ok(())
}

/// Returns a connection as soon as the database accepts one before `until`; `limit` is how errors
/// name the wait.
///
/// # Errors
/// One sentence that says why.
pub(crate) async fn connect(
    options: &PgConnectOptions,
    until: Instant,
    limit: Duration,
) -> Result<PgConnection, String> {
    let mut tries = 0;
    let mut told = String::new();
    loop {
        let why = match timeout(CONNECT, options.connect()).await {
            Ok(Ok(connection)) => return Ok(connection),
            Ok(Err(error)) if final_answer(&error) => return Err(cause(&error)),
            Ok(Err(error)) => cause(&error),
            Err(_) => {
                format!("the database cannot be reached: no answer within {} s", CONNECT.as_secs())
            }
        };
        tries += 1;
        let wait = exponential(Duration::from_millis(250), Duration::from_secs(3), tries);
        if Instant::now() + wait >= until {
            return Err(format!("{why} (tried {tries} times in {} s)", limit.as_secs_f64()));
        }
        if why != told {
            tracing::warn!(cause = why, "waiting for the database");
            told = why;
        }
        sleep(wait).await;
    }
}

/// Reports whether waiting would not help; the kubelet restarts us anyway.
fn final_answer(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(error) => error.code().is_some_and(|code| wrong_address(&code)),
        sqlx::Error::Configuration(_) => true,
        _ => false,
    }
}
