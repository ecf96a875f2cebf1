//! What keeps a client going: datagrams in and out, timeouts, frames that are due.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use str0m::net::{Receive, TcpType};
use str0m::{Candidate, Input, Output};

use super::Agent;
use crate::rtc::mischief::is_srtp;
use crate::rtc::road::{Protocol, Road};

/// Datagrams that are read from a socket before another client has its turn.
const TURN: usize = 64;

impl Agent {
    /// Reads what came; whether there may be more.
    pub fn receive(&mut self) -> bool {
        let outcome = self.receive_turn();
        let more = outcome.as_ref().is_ok_and(|more| *more);
        self.keep_error(outcome.map(drop));
        more
    }

    /// Does what is due.
    pub fn advance(&mut self, now: Instant) {
        let outcome = self.advance_to(now);
        self.keep_error(outcome);
    }

    fn receive_turn(&mut self) -> Result<bool> {
        let mut buffer = std::mem::take(&mut self.buffer);
        let mut more = false;
        let mut outcome = Ok(());
        for n in 0..self.roads.len() {
            let mut turns = TURN;
            while turns > 0 && outcome.is_ok() {
                let Some(road) = self.roads.get_mut(n) else {
                    break;
                };
                match road.receive(&mut buffer) {
                    Ok(Some((length, from))) => {
                        let (local, protocol) = (road.local(), road.protocol());
                        outcome = self.take(&buffer[..length], from, local, protocol);
                    }
                    Ok(None) => break,
                    Err(error) => {
                        // Others may still work.
                        self.roads.remove(n);
                        outcome = Err(error);
                    }
                }
                turns -= 1;
            }
            more |= turns == 0;
        }
        self.buffer = buffer;
        outcome.map(|()| more)
    }

    fn take(
        &mut self,
        datagram: &[u8],
        from: SocketAddr,
        local: SocketAddr,
        protocol: Protocol,
    ) -> Result<()> {
        self.wire.note(datagram);
        let Ok(received) = Receive::new(str0m_protocol(protocol), from, local, datagram) else {
            return Ok(());
        };
        self.drive(Input::Receive(Instant::now(), received))
    }

    fn advance_to(&mut self, now: Instant) -> Result<()> {
        for road in &mut self.roads {
            road.flush()?;
        }
        if self.wake <= now {
            self.drive(Input::Timeout(now))?;
        }
        if self.setup.is_none() {
            return Ok(());
        }
        for n in 0..self.outbound.len() {
            while let Some(due) = self.outbound[n].take_due(now) {
                let writer = self.rtc.writer(due.mid).context("the m-line is gone")?;
                writer.write(due.payload_type.into(), due.captured, due.time, due.frame)?;
                self.drive(Input::Timeout(now))?;
            }
        }
        Ok(())
    }

    /// Hands something in and carries out all that comes of it.
    pub(super) fn drive(&mut self, input: Input<'_>) -> Result<()> {
        if !self.rtc.is_alive() {
            self.wake = Instant::now() + Duration::from_secs(3600);
            return Ok(());
        }
        self.rtc.handle_input(input)?;
        loop {
            match self.rtc.poll_output()? {
                Output::Timeout(at) => {
                    self.wake = at;
                    return Ok(());
                }
                Output::Transmit(transmit) => {
                    let road = self
                        .roads
                        .iter_mut()
                        .find(|road| road.local() == transmit.source);
                    if let Some(road) = road {
                        self.remote = Some(transmit.destination);
                        if is_srtp(&transmit.contents) {
                            self.last_media.clear();
                            self.last_media.extend_from_slice(&transmit.contents);
                        }
                        let copies = self.mischief.map(|what| what.copies(&transmit.contents));
                        for copy in copies.into_iter().flatten() {
                            road.send(&copy, transmit.destination)?;
                        }
                        road.send(&transmit.contents, transmit.destination)?;
                    }
                }
                Output::Event(event) => self.note(event),
            }
        }
    }

    pub(super) fn add_road(&mut self, road: Road) -> Result<()> {
        let candidate = match road.protocol() {
            Protocol::Udp => Candidate::host(road.local(), "udp")?,
            Protocol::Tcp => tcp_candidate(road.local(), TcpType::Active)?,
        };
        if self.rtc.add_local_candidate(candidate.clone()).is_none() {
            bail!("{} is no use as a candidate", road.local());
        }
        self.candidates.push(candidate);
        self.roads.push(road);
        Ok(())
    }

    pub(super) fn keep_error(&mut self, outcome: Result<()>) {
        if let Err(error) = outcome {
            self.error.get_or_insert(format!("{error:#}"));
            // Not again at once, and again and again.
            self.wake = Instant::now() + Duration::from_millis(50);
        }
    }
}

fn str0m_protocol(protocol: Protocol) -> str0m::net::Protocol {
    match protocol {
        Protocol::Udp => str0m::net::Protocol::Udp,
        Protocol::Tcp => str0m::net::Protocol::Tcp,
    }
}

pub(super) fn tcp_candidate(address: SocketAddr, role: TcpType) -> Result<Candidate> {
    let builder = Candidate::builder().tcp().host(address).tcptype(role);
    Ok(builder.build()?)
}
