//! etcd and kube-apiserver, with no controllers and no nodes: nothing deletes the contents of a namespace, nothing makes
//! default service accounts, no pod ever runs. Most tests need no more.
//!
//! Node and RBAC authorization, the `NodeRestriction` admission, admission policies and bound tokens are in force, as in a
//! cluster that kubeadm makes.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use kube::Client;
use nix::sys::signal::Signal;

use super::access::{Access, Credential};
use super::audit::Audit;
use super::authority::Authority;
use super::folder::Folder;
use super::place::Place;
use super::programs::Programs;
use super::server::Server;
use super::{arguments, blocking, crds, loopback};

/// How long a start may take on a busy machine; alone it takes 2.5 s.
const READY: Duration = Duration::from_secs(60);

/// How often readiness is asked for.
const INTERVAL: Duration = Duration::from_millis(20);

/// The servers of a control plane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Component {
    /// The store.
    Etcd,
    /// The API server itself.
    ApiServer,
    /// The controllers of Kubernetes; only in a [`super::Cluster`].
    ControllerManager,
    /// Only in a [`super::Cluster`].
    Scheduler,
}

/// Where and how an API server runs.
pub(super) struct Settings {
    pub(super) place: Place,
    /// Where clients in that place reach it.
    pub(super) listen: SocketAddr,
    /// Where this process reaches it.
    pub(super) address: SocketAddr,
    /// Where etcd listens: for clients, and for other members.
    pub(super) etcd: [SocketAddr; 2],
    /// Other names and addresses under which clients may reach it.
    pub(super) names: Vec<String>,
    /// Further arguments of kube-apiserver.
    pub(super) arguments: Vec<String>,
}

/// A running API server with its store, its certificates and its log of requests. Ends with the handle, and with this process,
/// however it ends.
#[derive(Debug)]
pub struct ApiServer {
    // Before the folder and the place: fields are dropped from the first to the last.
    servers: Vec<(Component, Server)>,
    place: Place,
    address: SocketAddr,
    authority: Authority,
    admin: Access,
    audit: Audit,
    programs: Programs,
    folder: Folder,
}

impl ApiServer {
    /// The server that all tests of a test binary share; the definitions of Holdfast's kinds are in force. Each test uses
    /// names of its own. It cannot be broken: that takes a server of one's own, see [`ApiServer::start`].
    pub fn shared() -> Result<&'static Self> {
        static SHARED: OnceLock<Result<ApiServer, String>> = OnceLock::new();
        let start = || {
            let server = Self::start()?;
            blocking::run(async || crds::apply(&server.client()?).await)?;
            Ok(server)
        };
        let shared = SHARED.get_or_init(|| start().map_err(|error: anyhow::Error| format!("{error:#}")));
        shared.as_ref().map_err(|error| anyhow!("{error}"))
    }

    /// Starts a server on the loopback interface, with none of Holdfast's kinds, and waits until it is ready.
    pub fn start() -> Result<Self> {
        let listen = loopback::socket();
        let settings = Settings {
            place: Place::Machine,
            listen,
            address: listen,
            etcd: [loopback::socket(), loopback::socket()],
            names: Vec::new(),
            arguments: vec!["--service-cluster-ip-range=10.96.0.0/16".into(), "--endpoint-reconciler-type=none".into()],
        };
        let mut server = Self::new(settings)?;
        server.start_component(Component::Etcd)?;
        server.start_component(Component::ApiServer)?;
        server.wait_until_ready()?;
        Ok(server)
    }

    /// Prepares both servers, and starts none.
    pub(super) fn new(settings: Settings) -> Result<Self> {
        let programs = Programs::find()?;
        let folder = Folder::new("api")?;
        let path = folder.path();
        let authority = Authority::new(path.join("pki"))?;
        let admin = Access {
            url: format!("https://{}", settings.address),
            authority: authority.path("ca.crt"),
            authority_der: authority.der(),
            credential: authority.credential("admin", Some("system:masters"))?,
        };
        admin.write_kubeconfig(&path.join("kubeconfig"))?;
        let arguments = arguments::api_server(path, &authority, &settings)?;
        let servers = vec![
            (Component::Etcd, Server::new(&programs.api("etcd")?, arguments::etcd(path, settings.etcd), path)?),
            (Component::ApiServer, Server::new(&programs.api("kube-apiserver")?, arguments, path)?),
        ];
        let audit = Audit { log: path.join("audit.log") };
        Ok(Self {
            servers,
            place: settings.place,
            address: settings.address,
            authority,
            admin,
            audit,
            programs,
            folder,
        })
    }

    /// Prepares one more server, and does not start it.
    pub(super) fn add(&mut self, component: Component, program: &str, arguments: Vec<String>) -> Result<()> {
        let server = Server::new(&self.programs.built(program)?, arguments, self.folder.path())?;
        self.servers.push((component, server));
        Ok(())
    }

    /// The access of one who may do everything.
    pub fn admin(&self) -> &Access {
        &self.admin
    }

    /// A client that may do everything, of the runtime in which this is called.
    pub fn client(&self) -> Result<Client> {
        self.admin.client()
    }

    /// The access of a user, who has a certificate that says so.
    pub fn user(&self, name: &str, group: Option<&str>) -> Result<Access> {
        Ok(Access { credential: self.authority.credential(name, group)?, ..self.admin.clone() })
    }

    /// The access of whoever a token says; see [`super::AgentIdentity`].
    pub fn token(&self, token: String) -> Access {
        Access { credential: Credential::Token(token), ..self.admin.clone() }
    }

    /// A kubeconfig file for [`ApiServer::admin`].
    pub fn kubeconfig(&self) -> PathBuf {
        self.folder.path().join("kubeconfig")
    }

    /// kubectl as [`ApiServer::admin`]; add arguments to it.
    pub fn kubectl(&self) -> Result<Command> {
        self.programs.kubectl(&self.kubeconfig())
    }

    /// The requests that it answers.
    pub fn audit(&self) -> &Audit {
        &self.audit
    }

    /// The folder of its files, and of their logs.
    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Where this process reaches it.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn authority(&self) -> &Authority {
        &self.authority
    }

    pub(super) fn programs(&self) -> &Programs {
        &self.programs
    }

    /// Kills one of the servers (SIGKILL). Its data stay.
    pub fn kill(&mut self, component: Component) -> Result<()> {
        self.server(component)?.kill()
    }

    /// Starts one of the servers again where it was, and does not wait for it.
    pub fn start_component(&mut self, component: Component) -> Result<()> {
        let server = self.servers.iter_mut().find(|(other, _)| *other == component);
        let (_, server) = server.with_context(|| format!("there is no {component:?} here"))?;
        server.start(&self.place)
    }

    /// Freezes one of the servers (SIGSTOP): connections are accepted by the kernel, and nobody answers.
    pub fn pause(&mut self, component: Component) -> Result<()> {
        self.server(component)?.signal(Signal::SIGSTOP)
    }

    /// Undoes [`ApiServer::pause`].
    pub fn resume(&mut self, component: Component) -> Result<()> {
        self.server(component)?.signal(Signal::SIGCONT)
    }

    fn server(&mut self, component: Component) -> Result<&mut Server> {
        let server = self.servers.iter_mut().find(|(other, _)| *other == component);
        server.map(|(_, server)| server).with_context(|| format!("there is no {component:?} here"))
    }

    /// Starts the servers that have ended, and resumes those that are frozen.
    pub(super) fn mend(&mut self) -> Result<()> {
        self.servers.iter_mut().try_for_each(|(_, server)| server.mend(&self.place))
    }

    /// Waits until the API server says that it is ready. Fails at once if one of the servers has ended.
    pub fn wait_until_ready(&self) -> Result<()> {
        blocking::run(async || self.become_ready().await)
    }

    /// An error if one of the servers has ended by itself.
    pub(super) fn check(&self) -> Result<()> {
        self.servers.iter().try_for_each(|(_, server)| server.check())
    }

    async fn become_ready(&self) -> Result<()> {
        let client = self.client()?;
        let deadline = Instant::now() + READY;
        loop {
            self.check()?;
            let Err(error) = ask_readiness(&client).await else { return Ok(()) };
            if Instant::now() >= deadline {
                let folder = self.folder.path().display();
                return Err(error).with_context(|| format!("not ready after {READY:?}; see the logs in {folder}"));
            }
            tokio::time::sleep(INTERVAL).await;
        }
    }
}

async fn ask_readiness(client: &Client) -> Result<()> {
    let request = http::Request::get("/readyz").body(Vec::new()).context("not a request")?;
    let answer = tokio::time::timeout(Duration::from_secs(1), client.request_text(request)).await;
    answer.context("no answer within a second")?.map(drop).context("not ready")
}
