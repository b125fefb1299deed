use std::{cell::RefCell, io};

thread_local! {
    static LOG: RefCell<Option<Vec<u8>>> = const { RefCell::new(None) };
}

/// Everything that is logged on this thread from its making to [`Log::text`], at the lowest level, of every crate.
pub(crate) struct Log;

impl Log {
    pub(crate) fn capture() -> Self {
        install();
        LOG.set(Some(Vec::new()));
        Self
    }

    pub(crate) fn text(self) -> String {
        String::from_utf8(LOG.take().unwrap()).unwrap()
    }
}

/// One subscriber for all threads: scoped ones race with each other for what is enabled at all.
fn install() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_ansi(false)
            .with_writer(|| LogWriter)
            .finish();
        tracing::subscriber::set_global_default(subscriber).unwrap();
    });
}

struct LogWriter;

impl io::Write for LogWriter {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        LOG.with_borrow_mut(|log| log.iter_mut().for_each(|log| log.extend_from_slice(octets)));
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
