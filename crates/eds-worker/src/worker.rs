//! The fetch loop: fill free places, and on SIGTERM leave nothing behind.

use std::sync::Arc;
use std::time::Duration;

use async_nats::Client;
use futures_util::future::join_all;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};

use crate::consumer::{Consumer, Watched};
use crate::pull::{Pull, Pulled};
use crate::task::{Phase, Shared, process};

/// The loop goes round at least this often.
const TURN: Duration = Duration::from_millis(500);

/// After broken requests, wait before asking again.
const BROKEN: Duration = Duration::from_millis(500);

/// What is left to say after the grace period takes no longer.
const LAST_WORDS: Duration = Duration::from_secs(3);

/// Resolves when the process was told to stop: the first time, and the second.
pub(crate) struct Stop {
    pub(crate) told: watch::Receiver<u32>,
}

impl Stop {
    /// Wait until told `times` times.
    async fn told(&self, times: u32) {
        // An error means that nobody can tell us any more: no signals, no stop.
        if self.told.clone().wait_for(|told| *told >= times).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Run until told to stop and everything is finished or handed back.
pub(crate) async fn run(
    shared: Arc<Shared>,
    client: Client,
    mut consumer: Watched,
    poke: Arc<Notify>,
    phase: watch::Sender<Phase>,
    stop: Stop,
) {
    let mut tasks = JoinSet::new();
    let mut pull: Option<(Pull, Arc<Consumer>)> = None;
    let mut turn = interval(TURN);
    turn.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut again = Instant::now();
    loop {
        shared.state.turn();
        let current = consumer.borrow_and_update().clone();
        if pull.as_ref().map(|(_, known)| known) != current.as_ref() {
            end(&mut pull, &shared);
            if let Some(current) = current.filter(|_| Instant::now() >= again) {
                match Pull::open(&client, &shared.config, &current).await {
                    Ok(opened) => pull = Some((opened, current)),
                    Err(cause) => tracing::error!(%cause, "cannot subscribe"),
                }
            }
        }
        if let Some((pull, _)) = &mut pull
            && shared.state.database_answers()
        {
            let free = shared.config.concurrency.saturating_sub(tasks.len());
            if let Err(cause) = pull.ask(free).await {
                tracing::error!(%cause, "cannot ask for messages");
            }
        }
        tokio::select! {
            biased;
            () = stop.told(1) => break,
            Some(_) = tasks.join_next() => {}
            pulled = next(&mut pull) => match pulled {
                (Pulled::Message(delivery), known) => {
                    tasks.spawn(process(Arc::clone(&shared), delivery, known));
                }
                (Pulled::Nothing, _) => {}
                (Pulled::Broken(cause), _) => {
                    tracing::info!(%cause, "asking for messages anew");
                    end(&mut pull, &shared);
                    again = Instant::now() + BROKEN;
                    poke.notify_one();
                }
            },
            changed = consumer.changed() => if changed.is_err() { break },
            _ = turn.tick() => {}
        }
    }
    finish(&shared, &client, tasks, pull, &phase, &stop).await;
}

async fn next(pull: &mut Option<(Pull, Arc<Consumer>)>) -> (Pulled, Arc<Consumer>) {
    match pull {
        Some((pull, consumer)) => (pull.next().await, Arc::clone(consumer)),
        None => std::future::pending().await,
    }
}

/// End requests beside the loop: what they still bring goes back.
fn end(pull: &mut Option<(Pull, Arc<Consumer>)>, shared: &Arc<Shared>) {
    if let Some((pull, consumer)) = pull.take() {
        let shared = Arc::clone(shared);
        tokio::spawn(async move { close(pull, &consumer, &shared).await });
    }
}

async fn close(pull: Pull, consumer: &Consumer, shared: &Shared) {
    let came = pull.close().await;
    join_all(came.iter().map(|delivery| shared.hand_back(delivery, consumer))).await;
}

async fn finish(
    shared: &Arc<Shared>,
    client: &Client,
    mut tasks: JoinSet<()>,
    pull: Option<(Pull, Arc<Consumer>)>,
    phase: &watch::Sender<Phase>,
    stop: &Stop,
) {
    shared.state.stopping();
    let grace = shared.config.shutdown_grace;
    tracing::info!(
        in_flight = tasks.len(),
        grace_s = grace.as_secs_f64(),
        "stopping: no more messages are fetched"
    );
    phase.send_replace(Phase::Stopping);
    let settled = async {
        let closed = async {
            if let Some((pull, consumer)) = pull {
                close(pull, &consumer, shared).await;
            }
        };
        let worked = async { while tasks.join_next().await.is_some() {} };
        tokio::join!(closed, worked);
    };
    tokio::pin!(settled);
    let over = tokio::select! {
        () = &mut settled => true,
        () = sleep(grace) => false,
        () = stop.told(2) => false,
    };
    if !over {
        tracing::warn!(
            in_flight = shared.state.in_flight(),
            "time is up: handing back what is not done"
        );
        phase.send_replace(Phase::HandBack);
        if timeout(LAST_WORDS, settled).await.is_err() {
            tracing::error!("NATS did not answer: what is left is delivered again after ack_wait");
        }
    }
    let _ = timeout(Duration::from_secs(1), client.flush()).await;
    shared.results.close().await;
    tracing::info!("stopped");
}
