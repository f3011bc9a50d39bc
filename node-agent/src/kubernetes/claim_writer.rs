//! Writes who is master: at once when this node becomes it, for many VirtualIPs at a time.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use holdfast_crds::{Claimed, VirtualIP};
use kube::Client;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, sleep_until, timeout};
use tracing::debug;

use super::access::REQUEST_LIMIT;
use super::claims::{Claims, Outcome, Wish};
use super::connection::Connection;
use super::failure::Failure;
use super::health::Operation;
use super::news::{Ending, News, changed};
use super::programmed::Programmed;
use super::remade::{Objects, Remade};
use super::requests::{apply_status, metadata_of_status};
use super::status::time;
use crate::app::PATIENCE;
use crate::election::ElectionHandle;
use crate::state_dir::StateDir;

/// How many VirtualIPs are written at a time: those of a whole node are through in a moment, and others are still heard.
const AT_ONCE: usize = 16;

/// After this time without anything, a look does no harm.
const LOOK: Duration = Duration::from_secs(30);

/// Writes the claims of one node.
#[derive(Clone)]
pub(super) struct ClaimWriter {
    /// What one attempt needs.
    pub(super) attempt: Attempt,
    /// What is carried out: other objects mean other claims.
    pub(super) programmed: watch::Receiver<Programmed>,
    /// Where the next run finds what this one has claimed.
    pub(super) state: Arc<StateDir>,
    /// That something has happened.
    pub(super) news: News,
    /// That the agent leaves.
    pub(super) ending: Ending,
}

/// What one attempt needs.
#[derive(Clone)]
pub(super) struct Attempt {
    /// The name of the node.
    pub(super) node: Arc<str>,
    /// The field manager: each node has its own, so that a release removes what this node wrote and nothing else.
    pub(super) manager: Arc<str>,
    /// The client.
    pub(super) client: Client,
    /// How the requests do.
    pub(super) connection: Arc<Connection>,
    /// Who knows whether this node is master.
    pub(super) election: ElectionHandle,
}

impl ClaimWriter {
    /// Writes until the agent leaves, and then releases everything.
    pub(super) async fn run(mut self) {
        let (mut claims, mut attempts) = (Claims::new(self.state.load_claims()), JoinSet::new());
        let mut saved = claims.claimed();
        let mut regained = self.attempt.connection.regained();
        let (mut objects, mut look) = (Objects::default(), true);
        while !self.ending.has_come() {
            if std::mem::take(&mut look) {
                self.look(&mut claims, &mut objects).await;
            }
            self.save(&claims, &mut saved);
            self.start(&mut claims, &mut attempts);
            let next = self.next(&claims, &attempts);
            tokio::select! {
                () = self.news.next() => look = true,
                Some(ended) = attempts.join_next() => finish(&mut claims, ended),
                () = changed(&mut self.programmed) => look = true,
                () = changed(&mut regained) => claims.begin_all_anew(),
                () = self.ending.wait() => {}
                () = sleep_until(next.unwrap_or_else(far_away).into()), if next.is_some() => {}
                () = sleep(LOOK) => look = true,
            }
        }
        self.release_all(claims, attempts, saved).await;
    }

    fn save(&self, claims: &Claims, saved: &mut BTreeSet<String>) {
        let claimed = claims.claimed();
        if claimed != *saved {
            self.state.save_claims(&claimed);
            *saved = claimed;
        }
    }

    async fn look(&mut self, claims: &mut Claims, objects: &mut Objects) {
        match objects.see(&self.programmed.borrow_and_update()) {
            Remade::Everything => claims.begin_all_anew(),
            Remade::VirtualIPs(names) => names.iter().for_each(|name| claims.begin_anew(name)),
        }
        let Ok(Some(snapshot)) = timeout(PATIENCE, self.attempt.election.snapshot()).await else { return };
        // Only now: had the snapshot not come, they would be forgotten.
        let met_again = self.news.take_met_again();
        claims.look(&snapshot.virtual_routers);
        // Before that, what this node has may only be what it had.
        if objects.are_known() {
            claims.disown_missing(&snapshot.virtual_routers);
        }
        for router in snapshot.virtual_routers.iter().filter(|router| met_again.contains(&router.name)) {
            // The other one may have claimed it later than this node.
            claims.doubt(&router.virtual_ip);
        }
    }

    /// While the API server is lost, others find out when it is back: hundreds of claims would only be in its way.
    fn start(&self, claims: &mut Claims, attempts: &mut JoinSet<Ended>) {
        if self.attempt.connection.is_lost() {
            return;
        }
        for (virtual_ip, wish) in claims.take(AT_ONCE.saturating_sub(attempts.len()), Instant::now()) {
            let attempt = self.attempt.clone();
            attempts.spawn(async move {
                let outcome = attempt.write(&virtual_ip, &wish).await;
                (virtual_ip, wish, outcome)
            });
        }
    }

    /// When something may be begun that had to wait. While all attempts are taken, the end of one of them decides.
    fn next(&self, claims: &Claims, attempts: &JoinSet<Ended>) -> Option<Instant> {
        let may_begin = attempts.len() < AT_ONCE && !self.attempt.connection.is_lost();
        claims.next().filter(|_| may_begin)
    }

    /// Whoever waits for this bounds the time.
    async fn release_all(&self, mut claims: Claims, mut attempts: JoinSet<Ended>, mut saved: BTreeSet<String>) {
        claims.look(&[]);
        while !claims.is_settled() {
            self.start(&mut claims, &mut attempts);
            let next = self.next(&claims, &attempts);
            tokio::select! {
                Some(ended) = attempts.join_next() => finish(&mut claims, ended),
                () = sleep_until(next.unwrap_or_else(far_away).into()), if next.is_some() => {}
                else => return,
            }
            self.save(&claims, &mut saved);
        }
    }
}

fn far_away() -> Instant {
    Instant::now() + LOOK
}

type Ended = (String, Wish, Outcome);

fn finish(claims: &mut Claims, ended: Result<Ended, tokio::task::JoinError>) {
    // An attempt neither panics nor is it aborted.
    if let Ok((virtual_ip, wish, outcome)) = ended {
        claims.finish(&virtual_ip, wish, outcome, Instant::now());
    }
}

impl Attempt {
    async fn write(&self, virtual_ip: &str, wish: &Wish) -> Outcome {
        let written = match wish {
            Wish::Claim(since) => self.claim(virtual_ip, since).await,
            Wish::Release => self.release(virtual_ip).await.map(|()| Outcome::Written),
        };
        written.unwrap_or_else(|failure| {
            debug!(virtual_ip, error = %failure, kind = failure.kind.as_str(), "cannot write the master");
            Outcome::Failed(failure.kind)
        })
    }

    /// Between the two requests somebody else may become master and say so: then the version has changed, and the API
    /// server refuses this one (409).
    async fn claim(&self, virtual_ip: &str, since: &str) -> Result<Outcome, Failure> {
        if !self.election.is_master(virtual_ip).await {
            return Ok(Outcome::NotMaster);
        }
        let request = metadata_of_status::<VirtualIP>(&self.client, virtual_ip);
        let object = self.connection.ask(Operation::Claim, REQUEST_LIMIT, request).await?;
        if !self.election.is_master(virtual_ip).await {
            return Ok(Outcome::NotMaster);
        }
        let resource_version = object.metadata.resource_version.as_deref();
        let claim = Claimed { name: virtual_ip, uid: None, resource_version }.by(&self.node, time(since).as_ref());
        self.apply(virtual_ip, &claim).await.map(|()| Outcome::Written)
    }

    /// Server-side apply removes the fields only if nobody else has applied them since.
    async fn release(&self, virtual_ip: &str) -> Result<(), Failure> {
        let nothing = Claimed { name: virtual_ip, uid: None, resource_version: None }.by_nobody();
        self.apply(virtual_ip, &nothing).await
    }

    async fn apply(&self, virtual_ip: &str, part: &serde_json::Value) -> Result<(), Failure> {
        let request = apply_status::<VirtualIP>(&self.client, virtual_ip, &self.manager, part);
        self.connection.ask(Operation::Claim, REQUEST_LIMIT, request).await
    }
}
