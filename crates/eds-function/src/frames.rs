//! HTTP/2 frames that cost the server more than the client, counted.
//!
//! Each PING and SETTINGS is answered, and each reset undoes work. A client that sends such frames
//! needlessly is disconnected, as in grpc-go (ENHANCE_YOUR_CALM, "too_many_pings").

use std::time::Instant;

const PREFACE: usize = 24;
const HEADER: usize = 9;

/// How many frames without a request a connection may send at once.
const BURST: f64 = 100.0;
/// And after that, per second. Keep-alive needs one every ten seconds.
const PER_SECOND: f64 = 10.0;
/// What a request allows: its client may measure the round trip, cancel it, and open windows.
const PER_REQUEST: f64 = 3.0;
/// Window updates are the price of large answers: many more of them are fine.
const UPDATE: f64 = 0.01;

/// Reads frame headers in what a connection receives.
#[derive(Debug)]
pub(crate) struct Frames {
    /// Bytes to skip before the next header.
    skip: usize,
    header: [u8; HEADER],
    filled: usize,
    allowance: f64,
    refilled: Instant,
    /// Whether the first frame has arrived.
    pub(crate) begun: bool,
}

impl Frames {
    pub(crate) fn new(now: Instant) -> Self {
        let header = [0; HEADER];
        Self { skip: PREFACE, header, filled: 0, allowance: BURST, refilled: now, begun: false }
    }

    /// Inspects received bytes; returns false when it is too much.
    pub(crate) fn read(&mut self, mut bytes: &[u8], now: impl Fn() -> Instant) -> bool {
        while !bytes.is_empty() {
            if self.skip > 0 {
                let skipped = self.skip.min(bytes.len());
                self.skip -= skipped;
                bytes = bytes.get(skipped..).unwrap_or_default();
                continue;
            }
            if let Some((byte, rest)) = bytes.split_first() {
                if let Some(place) = self.header.get_mut(self.filled) {
                    *place = *byte;
                }
                self.filled += 1;
                bytes = rest;
            }
            if self.filled == HEADER {
                self.filled = 0;
                self.begun = true;
                if !self.frame(&now) {
                    return false;
                }
            }
        }
        true
    }

    fn frame(&mut self, now: &impl Fn() -> Instant) -> bool {
        let [a, b, c, kind, flags, ..] = self.header;
        self.skip = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
        let ack = flags & 1 == 1;
        let cost = match kind {
            // DATA: empty and not the last, it is only there to be read.
            0 if self.skip == 0 && !ack => 1.0,
            0 => 0.0,
            // HEADERS
            1 => {
                self.allowance = (self.allowance + PER_REQUEST).min(BURST);
                return true;
            }
            // SETTINGS, PING: an acknowledgement answers one of ours.
            4 | 6 if ack => 0.0,
            // WINDOW_UPDATE
            8 => UPDATE,
            // PRIORITY, RST_STREAM, SETTINGS, PING, CONTINUATION, and unknown ones.
            _ => 1.0,
        };
        self.allowance -= cost;
        if self.allowance < 0.0 {
            let now = now();
            let passed = now.duration_since(self.refilled).as_secs_f64();
            self.refilled = now;
            self.allowance = (self.allowance + passed * PER_SECOND).min(BURST);
        }
        self.allowance >= 0.0
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use std::time::Duration;

    /// Checks how many of `count` equal rounds of frames, one every `gap`, are accepted.
    fn check(round: &[(u8, u8, usize)], count: usize, gap: Duration, expect: usize) {
        let start = Instant::now();
        let mut frames = Frames::new(start);
        assert!(frames.read(&[0; PREFACE], || start));
        let taken = (0..count).take_while(|i| {
            let now = start + gap * u32::try_from(*i).unwrap();
            round.iter().all(|&(kind, flags, length)| {
                let mut bytes = vec![0, 0, u8::try_from(length).unwrap(), kind, flags, 0, 0, 0, 1];
                bytes.resize(HEADER + length, 0);
                // Split in two, at every offset.
                let (a, b) = bytes.split_at(i % bytes.len());
                frames.read(a, || now) && frames.read(b, || now)
            })
        });
        assert_eq!(taken.count(), expect, "{round:?}");
    }

    #[test]
    fn floods_end_and_requests_go_on() {
        const NONE: Duration = Duration::ZERO;
        let second = Duration::from_secs(1);
        let (ping, settings, headers, reset) = ((6, 0, 8), (4, 0, 6), (1, 4, 20), (3, 0, 4));
        check(&[ping], 1000, NONE, 100);
        check(&[settings], 1000, NONE, 100);
        check(&[(4, 1, 0), (6, 1, 8)], 1000, NONE, 1000);
        check(&[(0, 0, 0)], 1000, NONE, 100);
        check(&[(9, 0, 10)], 1000, NONE, 100);
        check(&[(2, 0, 5)], 1000, NONE, 100);
        check(&[ping], 1000, second, 1000);
        // A request with its message, a ping, a cancellation, and updates of two windows.
        check(&[headers, (0, 1, 200), ping, reset, (8, 0, 4), (8, 0, 4)], 1000, NONE, 1000);
        check(&[headers, reset, reset, reset, reset], 1000, NONE, 97);
    }
}
