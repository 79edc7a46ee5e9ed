//! Times and amounts at the edge of a connection: when the request was gone, when the first byte
//! came, how much came. The protocol above says none of that.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What was seen so far. Times are nanoseconds from the start plus one; zero is "not yet".
#[derive(Debug)]
pub(super) struct Marks {
    started: Instant,
    sent: AtomicU64,
    first_in: AtomicU64,
    bytes_in: AtomicU64,
    /// The first eight bytes that came, big end first; zero while there are fewer.
    start_in: AtomicU64,
    head_done: AtomicBool,
}

impl Marks {
    pub(super) fn start() -> Arc<Self> {
        Arc::new(Self {
            started: Instant::now(),
            sent: AtomicU64::new(0),
            first_in: AtomicU64::new(0),
            bytes_in: AtomicU64::new(0),
            start_in: AtomicU64::new(0),
            head_done: AtomicBool::new(false),
        })
    }

    fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX - 1) + 1
    }

    /// From the start until the request was with the kernel; `None` while nothing was written.
    pub(super) fn sent(&self) -> Option<Duration> {
        match self.sent.load(Ordering::Relaxed) {
            0 => None,
            n => Some(Duration::from_nanos(n - 1)),
        }
    }

    /// From the start until now.
    pub(super) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Bytes that came.
    pub(super) fn bytes_in(&self) -> u64 {
        self.bytes_in.load(Ordering::Relaxed)
    }

    /// What the other end speaks by the first bytes that it sent.
    pub(super) fn speaks(&self) -> Option<&'static str> {
        let start = self.start_in.load(Ordering::Relaxed).to_be_bytes();
        if start.starts_with(b"HTTP/1.") {
            return Some("HTTP/1.1");
        }
        // A SETTINGS frame (RFC 9113 6.5) on stream 0, of six bytes for each setting.
        let length = u32::from_be_bytes([0, start[0], start[1], start[2]]);
        let settings = start[3] == 4 && start[4] <= 1 && start[5..] == [0, 0, 0];
        (settings && length.is_multiple_of(6) && length < 1024 && start[..4] != [0; 4])
            .then_some("HTTP/2")
    }

    /// The head of the final response is there: what comes now is body, which has its own bound.
    pub(super) fn head_is_done(&self) {
        self.head_done.store(true, Ordering::Relaxed);
    }

    fn wrote(&self) {
        // Bytes that follow the first answer are not the request (acknowledged settings).
        let heard = self.first_in.load(Ordering::Relaxed) != 0;
        if !heard || self.sent.load(Ordering::Relaxed) == 0 {
            self.sent.store(self.now(), Ordering::Relaxed);
        }
    }

    fn read(&self, data: &[u8]) {
        let bytes = data.len();
        if bytes > 0 {
            if let (Some(start), 0) = (data.first_chunk(), self.bytes_in()) {
                self.start_in
                    .store(u64::from_be_bytes(*start), Ordering::Relaxed);
            }
            let _ =
                self.first_in
                    .compare_exchange(0, self.now(), Ordering::Relaxed, Ordering::Relaxed);
            self.bytes_in.fetch_add(bytes as u64, Ordering::Relaxed);
        }
    }
}

/// A connection that keeps [`Marks`] and ends when more than `budget` bytes came before the head
/// of the response was whole: no server needs that, and a hostile one would never stop.
#[derive(Debug)]
pub(super) struct Watched<S> {
    inner: S,
    marks: Arc<Marks>,
    budget: u64,
}

impl<S> Watched<S> {
    pub(super) fn new(inner: S, marks: Arc<Marks>, budget: u64) -> Self {
        Self {
            inner,
            marks,
            budget,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.marks.bytes_in() > this.budget && !this.marks.head_done.load(Ordering::Relaxed) {
            return Poll::Ready(Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!(
                    "more than {} KiB came before a final response",
                    this.budget / 1024
                ),
            )));
        }
        let before = buf.filled().len();
        let polled = Pin::new(&mut this.inner).poll_read(cx, buf);
        this.marks
            .read(buf.filled().get(before..).unwrap_or_default());
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.inner).poll_write(cx, data);
        if matches!(polled, Poll::Ready(Ok(n)) if n > 0) {
            this.marks.wrote();
        }
        polled
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_shutdown(cx)
    }
}
