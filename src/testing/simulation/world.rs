//! The loop that plays one run.

mod hands;
mod lives;
mod network;
mod script;
mod work;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    time::Duration,
};

use super::{
    event::{Agenda, Event, ProcessNumber, RequestId},
    observer::Observer,
    operation::Operation,
    process::{Life, Pending, Process},
    scenario::Scenario,
    server::Server,
    trace,
};
use crate::{
    cluster::ClusterName,
    sharding::internals::{Command, FenceCommand, Input, LeaseName, Request, fence_name},
};

/// Everything at one time of one run.
pub(super) struct World<'a> {
    scenario: &'a Scenario,
    random: fastrand::Rng,
    now: Duration,
    agenda: Agenda,
    /// The names of clusters, by number.
    names: Vec<ClusterName>,
    numbers: HashMap<ClusterName, usize>,
    fences: HashMap<LeaseName, usize>,
    pub(super) events: u64,
    /// When time last moved, and how many events there had been.
    moved: (Duration, u64),
    /// A digest of all events, to compare two runs.
    pub(super) digest: u64,
    server: Server,
    processes: Vec<Process>,
    /// The present process of each peer.
    current: BTreeMap<usize, ProcessNumber>,
    clusters: BTreeSet<usize>,
    hidden: BTreeSet<(usize, usize)>,
    weights: BTreeMap<usize, u32>,
    /// The peers whose processes start in the next version of the program.
    upgraded: BTreeSet<usize>,
    loss: f64,
    reply_loss: f64,
    refusals: f64,
    requests: RequestId,
    workers: u64,
    writes: u64,
    pods: usize,
    script: std::slice::Iter<'a, Operation>,
    expecting: Option<Expectation>,
    moves_before: u64,
    /// What is kept while the API server hangs.
    hung: Vec<Event>,
    pub(super) observer: Observer,
    pub(super) trace: Option<Vec<String>>,
    /// How long it took in each expectation until every cluster had been worked on.
    pub(super) reached: Vec<Duration>,
    /// How long each expectation took.
    pub(super) took: Vec<Duration>,
}

struct Expectation {
    since: Duration,
    until: Duration,
    /// The clusters that nobody was seen to work on since.
    waiting: BTreeSet<usize>,
    /// How long it took until somebody had worked on each.
    reached: Duration,
}

/// How often an expectation is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// More events than this at one time are a loop.
const MANY: u64 = 20_000;

// === impl World ===

impl<'a> World<'a> {
    pub(super) fn new(scenario: &'a Scenario, seed: u64, trace: bool) -> Self {
        let mut world = Self {
            scenario,
            random: fastrand::Rng::with_seed(seed),
            now: Duration::ZERO,
            agenda: Agenda::default(),
            names: Vec::new(),
            numbers: HashMap::new(),
            fences: HashMap::new(),
            events: 0,
            moved: (Duration::ZERO, 0),
            digest: 0xcbf2_9ce4_8422_2325,
            server: Server::new(),
            processes: Vec::new(),
            current: BTreeMap::new(),
            clusters: (0..scenario.clusters).collect(),
            hidden: BTreeSet::new(),
            weights: BTreeMap::new(),
            upgraded: BTreeSet::new(),
            loss: 0.0,
            reply_loss: 0.0,
            refusals: 0.0,
            requests: 0,
            workers: 0,
            writes: 0,
            pods: 0,
            script: scenario.operations.iter(),
            expecting: None,
            moves_before: 0,
            hung: Vec::new(),
            observer: Observer::default(),
            trace: trace.then(Vec::new),
            took: Vec::new(),
            reached: Vec::new(),
        };
        if scenario.clusters > 0 {
            world.name(scenario.clusters - 1);
        }
        for peer in 0..scenario.peers {
            world.start(peer);
        }
        world.at(Duration::ZERO, Event::Script);
        world
    }

    /// Plays until the script is over or something is wrong.
    pub(super) fn play(&mut self) {
        while let Some((at, event)) = self.agenda.next() {
            self.now = at;
            self.events += 1;
            self.note(&event);
            if at > self.moved.0 {
                self.moved = (at, self.events);
            } else if self.events - self.moved.1 > MANY {
                self.observer
                    .violations
                    .push(format!("more than {MANY} events at {at:?}: nothing moves"));
                return;
            }
            if matches!(event, Event::Script) && self.expecting.is_none() && self.script.len() == 0
            {
                return;
            }
            self.happen(event);
            if !self.observer.violations.is_empty() {
                return;
            }
        }
    }

    pub(super) fn time(&self) -> Duration {
        self.now
    }

    /// The peer that works on each cluster, or did last.
    pub(super) fn owners(&self) -> BTreeMap<usize, usize> {
        let owners = self.observer.owners().into_iter();
        owners
            .filter_map(|(cluster, process)| Some((cluster, self.processes.get(process)?.peer)))
            .collect()
    }

    pub(super) fn leases(&self) -> usize {
        self.server.list().0.len()
    }

    pub(super) fn server_counts(&self) -> (u64, u64) {
        (self.server.reads, self.server.writes)
    }

    fn note(&mut self, event: &Event) {
        // FNV-1a over words.
        for word in [
            self.now.as_nanos() as u64,
            event.kind(),
            event.handled_by().map_or(0, |process| process as u64 + 1),
        ] {
            self.digest = (self.digest ^ word).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn happen(&mut self, event: Event) {
        if let Some(process) = event.handled_by() {
            match self.processes[process].life {
                Life::Running => {}
                Life::Dead => return,
                Life::Frozen => {
                    self.processes[process].backlog.push_back(event);
                    return;
                }
            }
        }
        match event {
            Event::Script => self.next_operation(),
            Event::Arrive {
                process,
                id,
                lease,
                request,
            } => self.arrive(process, id, lease, request),
            Event::Reply {
                process,
                id,
                answer,
            } => self.reply(process, id, answer),
            Event::GiveUp { process, id } => self.give_up(process, id),
            Event::Timer { process, timer } => {
                if self.processes[process].timer == timer {
                    self.processes[process].timer_at = None;
                    self.step(process, Input::Tick);
                }
            }
            Event::List { process, stream } => self.list(process, stream),
            Event::Listed {
                process,
                stream,
                asked,
                leases,
                position,
            } => {
                self.listed(process, stream, asked, leases, position);
            }
            Event::Watched {
                process,
                stream,
                position,
            } => self.watched(process, stream, position),
            Event::Work {
                process,
                cluster,
                worker,
            } => self.work(process, cluster, worker),
            Event::Retry {
                process,
                cluster,
                worker,
            } => self.retry(process, cluster, worker),
            Event::Effect {
                process,
                cluster,
                worker,
                token,
                write,
            } => {
                self.effect(process, cluster, worker, token, write);
            }
            Event::Deadline {
                process,
                cluster,
                worker,
            } => self.deadline(process, cluster, worker),
            Event::Ended {
                process,
                cluster,
                worker,
            } => self.ended(process, cluster, worker),
        }
    }

    fn at(&mut self, at: Duration, event: Event) {
        self.agenda.add(at.max(self.now), event);
    }

    fn after(&mut self, delay: Duration, event: Event) {
        self.at(self.now + delay, event);
    }

    /// Gives an input to a coordinator and does what it commands.
    fn step(&mut self, number: ProcessNumber, input: Input) {
        let process = &mut self.processes[number];
        let now = process.clock.local(self.now);
        let wall = process.clock.wall(self.now);
        if let Some(lines) = &mut self.trace
            && !matches!(input, Input::Tick)
        {
            lines.push(format!(
                "{:>10.3?} p{number} <- {}",
                self.now,
                trace::input(&input)
            ));
        }
        let commands = process.coordinator.step(input, now, wall);
        for command in commands {
            if let Some(lines) = &mut self.trace {
                lines.push(format!(
                    "{:>10.3?} p{number} -> {}",
                    self.now,
                    trace::command(&command)
                ));
            }
            self.perform(number, command);
        }
        self.set_timer(number);
    }

    fn perform(&mut self, number: ProcessNumber, command: Command) {
        match command {
            Command::Send { lease, request } => self.send(number, lease, request),
            Command::Cluster(name, command) => {
                let cluster = self.numbers.get(&name).copied().unwrap_or(usize::MAX);
                match command {
                    FenceCommand::Engage { deadline, token } => {
                        self.engage(number, cluster, deadline, token)
                    }
                    FenceCommand::Permit { deadline, .. } => self.permit(number, cluster, deadline),
                    FenceCommand::Revoke => self.revoke(number, cluster),
                    FenceCommand::Drain => self.drain(number, cluster),
                    _ => {}
                }
            }
            Command::RestartWatch => self.restart_watch(number, Duration::ZERO),
            Command::Left | Command::Replaced => {
                if matches!(command, Command::Left) {
                    self.die(number);
                }
            }
            Command::Report(..) => {}
        }
    }

    fn set_timer(&mut self, number: ProcessNumber) {
        let process = &mut self.processes[number];
        if process.life == Life::Dead {
            return;
        }
        let due = process
            .coordinator
            .due()
            .map(|due| process.clock.real(due).max(self.now));
        if due == process.timer_at {
            return;
        }
        process.timer += 1;
        process.timer_at = due;
        if let Some(at) = due {
            let timer = process.timer;
            self.at(
                at,
                Event::Timer {
                    process: number,
                    timer,
                },
            );
        }
    }

    fn pending(
        &mut self,
        number: ProcessNumber,
        lease: &LeaseName,
        request: &Request,
    ) -> RequestId {
        self.requests += 1;
        let id = self.requests;
        let process = &mut self.processes[number];
        let sent = process.clock.local(self.now);
        let holds = match request {
            Request::Create(_) => true,
            Request::Replace { content, .. } => !content.holder.is_empty(),
            _ => false,
        };
        let pending = Pending {
            cluster: self.fences.get(lease).copied(),
            lease: lease.clone(),
            sent,
            holds,
        };
        process.pending.insert(id, pending);
        id
    }

    fn name(&mut self, cluster: usize) -> ClusterName {
        for number in self.names.len()..=cluster {
            let name = match self.scenario.awkward {
                true => awkward_name(number),
                false => format!("cluster-{number}"),
            };
            let Ok(name) = ClusterName::new(name) else {
                unreachable!("cluster names are short and printable")
            };
            let lease = fence_name("mcr-shard", name.as_str(), self.scenario.mutants);
            self.fences.insert(lease.into(), number);
            self.numbers.insert(name.clone(), number);
            self.names.push(name);
        }
        self.names[cluster].clone()
    }

    fn fence_lease(&mut self, cluster: usize) -> LeaseName {
        let name = self.name(cluster);
        fence_name("mcr-shard", name.as_str(), self.scenario.mutants).into()
    }

    fn random_between(&mut self, low: Duration, high: Duration) -> Duration {
        let span = u64::try_from((high - low).as_nanos()).unwrap_or(u64::MAX);
        low + Duration::from_nanos(self.random.u64(..=span))
    }
}

/// Names that differ only in what the name of a Lease cannot hold.
fn awkward_name(number: usize) -> String {
    let separator = ["/", "_", ".", "-", "--"][number % 5];
    format!("team{separator}{}", number / 5)
}
