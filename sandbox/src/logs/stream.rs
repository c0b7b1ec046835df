//! The body of a reply that shows a log.

use std::convert::Infallible;

use bytes::Bytes;
use futures_util::{Stream, StreamExt, future, stream};
use http_body::Frame;
use jiff::Timestamp;

use super::{ContainerLog, LogOptions, limits};

/// The pieces of a reply: what is written, then what will be if the client follows.
pub(crate) fn chunks(
    log: ContainerLog,
    options: &LogOptions,
    now: Timestamp,
) -> impl Stream<Item = Result<Frame<Bytes>, Infallible>> + Send + use<> {
    let limits = limits::Limits::new(options, now);
    let past = stream::iter(limits::tail(log.past, options));
    let live = if options.follow {
        log.live
    } else {
        stream::empty().boxed()
    };
    let pieces = past.chain(live).scan(limits, |limits, line| {
        let next = (!limits.is_reached()).then(|| limits.pass(&line));
        future::ready(next)
    });
    pieces.filter_map(|piece| future::ready(piece.map(|bytes| Ok(Frame::data(bytes)))))
}
