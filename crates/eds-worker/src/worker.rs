//! The fetch loop: fills free places, and leaves nothing behind on SIGTERM.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};

use crate::consumer::{Consumer, Watched};
use crate::pull::{Pull, Pulled};
use crate::quarantine::sweep;
use crate::task::{Phase, Shared, process};

/// The loop comes round at least this often.
const TURN: Duration = Duration::from_millis(500);

/// How long to wait before asking again after broken requests.
const BROKEN: Duration = Duration::from_millis(500);

/// How many messages to request one at a time after a connection ended, and at the start.
const CAREFUL: usize = 64;

/// How long the remaining messages to the server may take after the grace period.
const LAST_WORDS: Duration = Duration::from_secs(3);

/// Resolves when the process is told to stop: the first time, and the second.
pub(crate) struct Stop {
    pub(crate) told: watch::Receiver<u32>,
}

impl Stop {
    /// Waits until told `times` times.
    async fn told(&self, times: u32) {
        // An error means that nobody can tell us any more: without signals there is no stop.
        if self.told.clone().wait_for(|told| *told >= times).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Runs until told to stop and everything is finished or handed back.
pub(crate) async fn run(
    shared: Arc<Shared>,
    mut consumer: Watched,
    poke: Arc<Notify>,
    phase: watch::Sender<Phase>,
    stop: Stop,
) {
    let mut tasks = JoinSet::new();
    let mut opening = JoinSet::new();
    let mut pull: Option<(Pull, Arc<Consumer>)> = None;
    let mut turn = interval(TURN);
    turn.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut again = Instant::now();
    // How many messages to request one at a time, since any may end the connection.
    let mut careful = CAREFUL;
    // Whether a message had been requested when the connection ended.
    let mut suspicious = false;
    loop {
        shared.state.turn();
        let current = consumer.borrow_and_update().clone();
        if pull.as_ref().map(|(_, known)| known) != current.as_ref() {
            end_requests(&mut pull, &shared);
            if let Some(current) = current
                && opening.is_empty()
                && Instant::now() >= again
            {
                opening.spawn(open(Arc::clone(&shared), current, std::mem::take(&mut suspicious)));
            }
        }
        if let Some((pull, _)) = &mut pull
            && shared.state.database_answers()
        {
            let busy = tasks.len().saturating_sub(shared.state.parked());
            let free = shared.config.concurrency.saturating_sub(busy);
            let free = if careful > 0 { free.min(1) } else { free };
            if let Err(cause) = pull.ask(free).await {
                tracing::error!(%cause, "cannot ask for messages");
            }
        }
        tokio::select! {
            biased;
            () = stop.told(1) => break,
            Some(_) = tasks.join_next() => {}
            Some(opened) = opening.join_next() => match opened {
                Ok(Ok(opened)) => pull = Some(opened),
                Ok(Err(cause)) => {
                    tracing::error!(%cause, "cannot fetch messages");
                    again = Instant::now() + BROKEN;
                }
                Err(error) => tracing::error!(%error, "cannot fetch messages"),
            },
            pulled = next(&mut pull) => match pulled {
                (Pulled::Message(delivery), known) => {
                    careful = careful.saturating_sub(1);
                    tasks.spawn(process(Arc::clone(&shared), delivery, known));
                }
                (Pulled::Nothing, _) => {}
                (Pulled::Empty, _) => careful = 0,
                (Pulled::Lost, _) => {
                    suspicious = pull.take().is_some_and(|(pull, _)| pull.asked());
                    careful = CAREFUL;
                }
                (Pulled::Broken(cause), _) => {
                    tracing::info!(%cause, "asking for messages anew");
                    end_requests(&mut pull, &shared);
                    again = Instant::now() + BROKEN;
                    poke.notify_one();
                }
            },
            changed = consumer.changed() => if changed.is_err() { break },
            _ = turn.tick() => {}
        }
    }
    opening.abort_all();
    finish(&shared, tasks, pull, &phase, &stop).await;
}

/// Opens a new connection for messages. If a message may have ended the previous one, it is dealt
/// with first.
async fn open(
    shared: Arc<Shared>,
    consumer: Arc<Consumer>,
    suspicious: bool,
) -> Result<(Pull, Arc<Consumer>), String> {
    if suspicious {
        match sweep(&shared, &consumer).await {
            // It was not a message, or it is another worker's turn to find it: there is no hurry.
            Ok(0) => sleep(BROKEN).await,
            Ok(found) => tracing::warn!(found, "messages that cannot be read ended the connection"),
            Err(cause) => {
                tracing::error!(%cause, "the connection ended, perhaps by a message that cannot be \
                    read");
                sleep(BROKEN).await;
            }
        }
    }
    Ok((Pull::open(&shared, &consumer).await?, consumer))
}

async fn next(pull: &mut Option<(Pull, Arc<Consumer>)>) -> (Pulled, Arc<Consumer>) {
    match pull {
        Some((pull, consumer)) => (pull.next().await, Arc::clone(consumer)),
        None => std::future::pending().await,
    }
}

/// Ends requests outside the loop: what they still yield is handed back.
fn end_requests(pull: &mut Option<(Pull, Arc<Consumer>)>, shared: &Arc<Shared>) {
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
    let _ = timeout(Duration::from_secs(1), shared.client.flush()).await;
    shared.results.close().await;
    tracing::info!("stopped");
}
