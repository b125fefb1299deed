use std::{fmt, net::SocketAddr, sync::Arc};

use tokio::{net::TcpListener, sync::watch, task::JoinSet};

use crate::{
    Access, Handle, Keeper, LocalSecret, PrivateKeys, ProxySettings, StateFolder, TokenFile, UnixSocket,
    proxy::{Proxy, own_hosts},
    publish::Publisher,
    serve::{Listening, serve},
    socket::Socket,
};

/// A keeper with all that it serves.
pub struct Agent {
    keeper: Keeper,
    handle: Handle,
    state: Arc<StateFolder>,
    files: Vec<TokenFile>,
    sockets: Vec<(UnixSocket, Socket)>,
    proxies: Vec<(Listening, Proxy)>,
}

impl Agent {
    /// Keeps what `keeper` gets in this folder.
    #[must_use]
    pub fn new(keeper: Keeper, handle: Handle, state: StateFolder) -> Self {
        Self {
            keeper,
            handle,
            state: Arc::new(state),
            files: Vec::new(),
            sockets: Vec::new(),
            proxies: Vec::new(),
        }
    }

    /// Keeps the token in this file too.
    #[must_use]
    pub fn with_token_file(mut self, file: TokenFile) -> Self {
        self.files.push(file);
        self
    }

    /// Answers at this socket.
    #[must_use]
    pub fn with_socket(mut self, socket: UnixSocket, keys: PrivateKeys) -> Self {
        let handle = self.handle.clone();
        self.sockets.push((socket, Socket { handle, keys }));
        self
    }

    /// Forwards requests of the users who may connect to this socket.
    #[must_use]
    pub fn with_proxy_at_socket(mut self, socket: UnixSocket, settings: ProxySettings) -> Self {
        let proxy = Proxy::new(settings, Access::User, self.handle.clone());
        self.proxies.push((Listening::Unix(socket), proxy));
        self
    }

    /// Forwards requests that come to this port of the loopback interface with the secret.
    ///
    /// # Errors
    /// [`NotLoopback`] for a listener that others than this machine reach.
    pub fn with_proxy_at_port(
        mut self,
        listener: TcpListener,
        secret: LocalSecret,
        settings: ProxySettings,
    ) -> Result<Self, NotLoopback> {
        let address = listener.local_addr().map_err(|_gone| NotLoopback(None))?;
        if !address.ip().is_loopback() {
            return Err(NotLoopback(Some(address)));
        }
        let access = Access::Secret {
            hosts: own_hosts(address),
            secret,
        };
        let proxy = Proxy::new(settings, access, self.handle.clone());
        self.proxies.push((Listening::Tcp(listener), proxy));
        Ok(self)
    }

    /// What it keeps.
    #[must_use]
    pub const fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Works until `stop` is there, and then brings what is under way to its end.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let publisher = Publisher {
            handle: self.handle.clone(),
            state: self.state,
            files: self.files,
        };
        let (told, stopped) = watch::channel(false);
        let mut serving = JoinSet::new();
        for (socket, answering) in self.sockets {
            serving.spawn(serve(
                Listening::Unix(socket),
                Arc::new(answering),
                stopped.clone(),
            ));
        }
        for (listening, proxy) in self.proxies {
            serving.spawn(serve(listening, Arc::new(proxy), stopped.clone()));
        }
        let work = async { tokio::join!(self.keeper.run(), publisher.run()) };
        let mut work = std::pin::pin!(work);
        tokio::select! {
            _never = work.as_mut() => {}
            () = stop => {}
        }
        told.send_replace(true);
        let drained = async { while serving.join_next().await.is_some() {} };
        // A proxied request that is under way may still want another token.
        tokio::select! {
            _never = work => {}
            () = drained => {}
        }
    }
}

impl fmt::Debug for Agent {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Agent")
            .field("handle", &self.handle)
            .field("sockets", &self.sockets.len())
            .field("proxies", &self.proxies.len())
            .finish_non_exhaustive()
    }
}

/// A proxy must not be reached from elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a proxy listens at the loopback interface only: write 127.0.0.1:PORT or [::1]:PORT")]
pub struct NotLoopback(Option<SocketAddr>);
