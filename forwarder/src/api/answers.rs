//! Answers that are kept for requests that may be sent again, each caller's apart from those of others.
//!
//! What a caller holds is bounded, and so is all of it. One caller's requests displace answers of that caller; where the whole is full,
//! those of whoever holds most. A request that is being carried out is never displaced: its key would be carried out twice.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use axum::{
    body::Bytes,
    http::{HeaderMap, HeaderValue, StatusCode, header},
};

use super::error::{CONFLICT, LIMIT, Problem, STALE};

/// How long an answer is kept.
const KEPT: Duration = Duration::from_secs(600);
/// Bytes that one caller's requests and answers may take.
const OWN: usize = 4 << 20;
/// Bytes that all of them may take.
const ALL: usize = 32 << 20;
/// What a request takes besides its key and the body of its answer, headers included.
const OVERHEAD: usize = 1024;

/// A key, and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// What tells the caller from others.
    pub caller: String,
    /// What the caller calls the request.
    pub key: String,
}

/// An answer, to be given again.
#[derive(Clone, Debug)]
pub struct Given {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

/// What is to be done with a request.
#[derive(Debug)]
pub enum Turn {
    /// It is carried out; [`Answers::end`] names this number.
    First(u64),
    /// It was.
    Again(Given),
}

#[derive(Debug)]
struct Held {
    turn: u64,
    key: String,
    /// Of what was asked.
    asked: [u8; 32],
    since: Instant,
    /// `None` while it is being carried out.
    given: Option<Given>,
}

impl Held {
    fn weight(&self) -> usize {
        let body = self.given.as_ref().map_or(0, |given| given.body.len());
        OVERHEAD + self.key.len() + body
    }

    fn is_old(&self, now: Instant) -> bool {
        self.given.is_some() && now.saturating_duration_since(self.since) >= KEPT
    }
}

/// What one caller holds, the oldest first.
#[derive(Debug, Default)]
struct Own {
    held: VecDeque<Held>,
    weight: usize,
}

impl Own {
    fn push(&mut self, held: Held) {
        self.weight += held.weight();
        self.held.push_back(held);
    }

    fn remove(&mut self, at: usize) -> Option<Held> {
        let held = self.held.remove(at)?;
        self.weight -= held.weight();
        Some(held)
    }

    fn forget_old(&mut self, now: Instant) {
        while let Some(at) = self.held.iter().position(|held| held.is_old(now)) {
            self.remove(at);
        }
    }

    /// Forgets the oldest answer. `false` where there is none: all requests are being carried out.
    fn forget_oldest(&mut self) -> bool {
        let answered = self.held.iter().position(|held| held.given.is_some());
        answered.and_then(|at| self.remove(at)).is_some()
    }
}

#[derive(Debug, Default)]
struct Table {
    callers: HashMap<String, Own>,
    last: u64,
    swept: Option<Instant>,
}

impl Table {
    /// Forgets what is old, of everybody: answers hold keys of sessions.
    fn sweep(&mut self, now: Instant) {
        let recent = |at: Instant| now.saturating_duration_since(at) < KEPT / 10;
        if self.swept.is_some_and(recent) {
            return;
        }
        self.swept = Some(now);
        self.callers.retain(|_, own| {
            own.forget_old(now);
            !own.held.is_empty()
        });
    }

    fn weight(&self) -> usize {
        self.callers.values().map(|own| own.weight).sum()
    }

    /// Makes room within the bound of all. `false` where everything is being carried out.
    fn make_room(&mut self, needed: usize) -> bool {
        let mut weight = self.weight();
        while weight + needed > ALL {
            let answered = |own: &&mut Own| own.held.iter().any(|held| held.given.is_some());
            let callers = self.callers.values_mut().filter(answered);
            let Some(most) = callers.max_by_key(|own| own.weight) else {
                return false;
            };
            weight -= most.weight;
            most.forget_oldest();
            weight += most.weight;
        }
        true
    }
}

/// The answers of a node.
#[derive(Clone, Debug, Default)]
pub struct Answers(Arc<Mutex<Table>>);

impl Answers {
    fn table(&self) -> MutexGuard<'_, Table> {
        // Nothing that holds it can panic half way.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a request, or finds the answer that it got.
    ///
    /// # Errors
    /// 422 where the key came with another request, 409 where that is being carried out, 429 where the caller has as many under way
    /// as it may.
    pub fn begin(&self, name: &Name, asked: [u8; 32], now: Instant) -> Result<Turn, Problem> {
        let mut table = self.table();
        table.sweep(now);
        if let Some(own) = table.callers.get_mut(&name.caller) {
            own.forget_old(now);
            if let Some(held) = own.held.iter().find(|held| held.key == name.key) {
                return again(held, asked);
            }
        }
        table.last += 1;
        let held = Held {
            turn: table.last,
            key: name.key.clone(),
            asked,
            since: now,
            given: None,
        };
        let needed = held.weight();
        let own = table.callers.get_mut(&name.caller);
        let fits = own.is_none_or(|own| {
            while own.weight + needed > OWN && own.forget_oldest() {}
            own.weight + needed <= OWN
        });
        if !(fits && table.make_room(needed)) {
            return Err(later(Problem::new(
                &LIMIT,
                "Idempotency-Key",
                &*name.key,
                "the same again once some of the requests under way are answered",
            )));
        }
        let turn = held.turn;
        table
            .callers
            .entry(name.caller.clone())
            .or_default()
            .push(held);
        Ok(Turn::First(turn))
    }

    /// Keeps the answer of a turn; `None` forgets that there was a request.
    pub fn end(&self, name: &Name, turn: u64, given: Option<Given>) {
        let mut table = self.table();
        let Some(own) = table.callers.get_mut(&name.caller) else {
            return;
        };
        // By its number: the key may have gone to another request since.
        let Some(at) = own.held.iter().position(|held| held.turn == turn) else {
            return;
        };
        let Some(mut held) = own.remove(at) else {
            return;
        };
        if given.is_none() {
            if own.held.is_empty() {
                table.callers.remove(&name.caller);
            }
            return;
        }
        held.given = given;
        let needed = held.weight();
        while own.weight + needed > OWN && own.forget_oldest() {}
        // An answer that finds no room is not kept: the next request with its key is carried out.
        if own.weight + needed <= OWN && table.make_room(needed) {
            let own = table.callers.entry(name.caller.clone()).or_default();
            own.push(held);
        }
    }
}

fn again(held: &Held, asked: [u8; 32]) -> Result<Turn, Problem> {
    let problem = |kind, allowed| Problem::new(kind, "Idempotency-Key", held.key.as_str(), allowed);
    match &held.given {
        _ if held.asked != asked => Err(problem(
            &CONFLICT,
            "another key: this one came with another method, path or body, and goes with those alone",
        )),
        Some(given) => Ok(Turn::Again(given.clone())),
        None => Err(later(problem(
            &STALE,
            "the same again once the first is answered",
        ))),
    }
}

fn later(problem: Problem) -> Problem {
    problem.with(header::RETRY_AFTER, HeaderValue::from_static("1"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(caller: &str, key: usize) -> Name {
        Name {
            caller: caller.to_owned(),
            key: key.to_string(),
        }
    }

    fn given(len: usize) -> Given {
        Given {
            status: StatusCode::CREATED,
            headers: HeaderMap::new(),
            body: vec![b'x'; len].into(),
        }
    }

    fn first(turn: Result<Turn, Problem>) -> u64 {
        match turn {
            Ok(Turn::First(turn)) => turn,
            other => panic!("{other:?}"),
        }
    }

    fn status(turn: Result<Turn, Problem>) -> u16 {
        turn.map(drop).unwrap_err().kind.status.as_u16()
    }

    #[test]
    fn a_key_goes_with_one_request() {
        let (answers, now) = (Answers::default(), Instant::now());
        let begin = |asked, now| answers.begin(&name("a", 1), [asked; 32], now);
        let turn = first(begin(1, now));
        assert_eq!(status(begin(1, now)), 409);
        answers.end(&name("a", 1), turn, Some(given(2)));
        assert!(matches!(begin(1, now), Ok(Turn::Again(_))));
        assert_eq!(status(begin(2, now)), 422);
        let other = answers.begin(&name("b", 1), [2; 32], now);
        first(other);
        let turn = first(begin(2, now + KEPT));
        answers.end(&name("a", 1), turn, None);
        first(begin(3, now + KEPT));
    }

    #[test]
    fn what_is_carried_out_is_not_displaced_and_ends_only_itself() {
        let (answers, now) = (Answers::default(), Instant::now());
        let slow = first(answers.begin(&name("a", 0), [0; 32], now));
        for key in 1..10_000 {
            let turn = first(answers.begin(&name("a", key), [0; 32], now));
            answers.end(&name("a", key), turn, Some(given(10_000)));
        }
        // However long it takes.
        let late = now + KEPT * 2;
        assert_eq!(status(answers.begin(&name("a", 0), [0; 32], late)), 409);
        // Its end, told twice, is not that of the request that has the key by then.
        answers.end(&name("a", 0), slow, None);
        let next = first(answers.begin(&name("a", 0), [1; 32], late));
        answers.end(&name("a", 0), slow, Some(given(1)));
        assert_eq!(status(answers.begin(&name("a", 0), [1; 32], late)), 409);
        answers.end(&name("a", 0), next, Some(given(1)));
        let again = answers.begin(&name("a", 0), [1; 32], late);
        assert!(matches!(again, Ok(Turn::Again(_))));
    }

    #[test]
    fn a_caller_displaces_its_own() {
        let (answers, now) = (Answers::default(), Instant::now());
        let quiet = first(answers.begin(&name("quiet", 1), [0; 32], now));
        answers.end(&name("quiet", 1), quiet, Some(given(100)));
        for caller in 0..20 {
            let caller = format!("loud {caller}");
            for key in 0..600 {
                let turn = first(answers.begin(&name(&caller, key), [0; 32], now));
                answers.end(&name(&caller, key), turn, Some(given(10_000)));
            }
        }
        let again = answers.begin(&name("quiet", 1), [0; 32], now);
        assert!(matches!(again, Ok(Turn::Again(_))));
        let table = answers.table();
        assert!(table.weight() <= ALL);
        for own in table.callers.values() {
            let held: usize = own.held.iter().map(Held::weight).sum();
            assert!(own.weight <= OWN && own.weight == held);
        }
    }

    #[test]
    fn requests_under_way_are_bounded() {
        let (answers, now) = (Answers::default(), Instant::now());
        let mut keys = 0..;
        let begin = |key| answers.begin(&name("a", key), [0; 32], now);
        let refused = keys.find_map(|key| begin(key).err()).unwrap();
        assert_eq!(refused.kind.status.as_u16(), 429);
        assert!(refused.header.is_some());
        first(answers.begin(&name("b", 0), [0; 32], now));
    }
}
