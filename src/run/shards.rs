//! The threads that keys are shared out to. Every batch goes to each of them, in order; what they have to say of it is told,
//! as if one engine had said it, when all have taken it. Meanwhile they go on with the batches behind it, but not far: what is
//! handed out is bounded, and so is what they have said that nobody has heard yet.

use crate::cli::Config;
use crate::engine::Engine;
use crate::engine::report::{Report, Reporter, Reports, TakeRows, WriteRow, tell};
use crate::engine::shard::{Shard, Share, sum};
use crate::error::Error;
use crate::event::EventBatch;
use crate::metrics::Counters;
use crossbeam_channel::{Receiver, Sender, TryRecvError, bounded};
use std::collections::VecDeque;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// With fewer decoders than this one engine keeps up with them.
const LEAST_THREADS: usize = 4;
/// More shares are not worth what each of them costs: all of them look at the times of all events.
const MOST: usize = 8;
/// Batches that are handed out at a time: enough for no shard to wait for another one's.
const AHEAD: usize = 8;

/// Pieces of reports of one of them that wait to be told.
const ANSWERS: usize = 4;

/// How many shares a run has; none if one engine does it all.
pub fn count(config: &Config) -> usize {
    let Config { engine, projection, threads, is_merged, follow, pace, state, .. } = config;
    let is_simple = !is_merged && follow.is_none() && pace.is_none() && state.is_none();
    let has_keys = !projection.keys.is_empty();
    match is_simple && has_keys && *threads >= LEAST_THREADS && engine.can_be_shared() {
        true => (*threads).min(MOST),
        false => 0,
    }
}

/// Something to be done.
enum Job {
    /// A batch is to be taken; `counts` if the open windows are to be counted then.
    Take { batch: Arc<EventBatch>, counts: bool },
    /// The input has ended.
    End,
    /// Open windows are to be counted.
    Count,
}

/// What comes of it: pieces of a report, the last of them with what has been counted.
pub struct Answer {
    report: Report,
    done: Option<Box<Done>>,
}

struct Done {
    tally: Counters,
    /// How long it took to count open windows, if they were.
    counting: Option<Duration>,
}

/// One of the threads.
struct Worker {
    jobs: Sender<Job>,
    answers: Receiver<Answer>,
    /// The first answer about the batch that is told next.
    head: Option<Answer>,
    /// What it had counted when the last batch was told.
    tally: Counters,
    open_windows: u64,
    counting: Duration,
}

impl Worker {
    fn start(number: usize, mut shard: Shard, mut writer: Option<Box<dyn WriteRow>>) -> Result<Worker, Error> {
        let (jobs, to_do) = bounded::<Job>(AHEAD + 2);
        let (answer, answers) = bounded::<Answer>(ANSWERS);
        let run = move || {
            for job in to_do {
                // If nobody listens, the last answer finds that out as well.
                let mut give = |report| drop(answer.send(Answer { report, done: None }));
                let mut reporter = Reporter::giving(&mut give, writer.as_deref_mut().map(|writer| writer as _));
                let counts = match job {
                    Job::Take { batch, counts } => {
                        shard.take(&batch, &mut reporter);
                        counts
                    }
                    Job::End => {
                        shard.end(&mut reporter);
                        false
                    }
                    Job::Count => true,
                };
                let report = reporter.finish();
                let began = Instant::now();
                let tally = if counts { shard.engine().counters() } else { shard.engine().tally() };
                let counting = counts.then(|| began.elapsed());
                // The batch has been given up: whoever hears of this may use it again.
                if answer.send(Answer { report, done: Some(Box::new(Done { tally, counting })) }).is_err() {
                    return;
                }
            }
        };
        let thread = thread::Builder::new().name(format!("shard-{number}"));
        thread.spawn(run).map_err(|source| Error::System { what: "starting a thread for keys", source })?;
        let (tally, counting) = (Counters::default(), Duration::ZERO);
        Ok(Worker { jobs, answers, head: None, tally, open_windows: 0, counting })
    }

    fn give(&self, job: Job) {
        // If it broke down, there will be no answer.
        let _ = self.jobs.send(job);
    }

    /// The next piece of what it has to say; waits for it.
    fn next(&mut self) -> Result<Report, Error> {
        let Answer { report, done } = match self.head.take() {
            Some(head) => head,
            None => self.answers.recv().map_err(|_| Error::Defect)?,
        };
        if let Some(done) = done {
            let Done { tally, counting } = *done;
            if let Some(counting) = counting {
                (self.open_windows, self.counting) = (tally.open_windows, counting);
            }
            self.tally = Counters { open_windows: 0, ..tally };
        }
        Ok(report)
    }

    /// Whether that need not be waited for.
    fn has_next(&mut self) -> bool {
        if self.head.is_none() {
            match self.answers.try_recv() {
                Ok(answer) => self.head = Some(answer),
                Err(TryRecvError::Empty) => return false,
                Err(TryRecvError::Disconnected) => {}
            }
        }
        true
    }
}

/// Reports in the order of shares, of which the first has no thread.
struct Further<'a>(&'a mut [Worker]);

impl Reports for Further<'_> {
    type Error = Error;

    fn next(&mut self, share: usize) -> Result<Report, Error> {
        self.0.get_mut(share.wrapping_sub(1)).ok_or(Error::Defect)?.next()
    }
}

/// Keys that are shared out.
pub struct Shards {
    /// What is of no key.
    rest: Shard,
    workers: Vec<Worker>,
    /// Batches that they take, the first one first.
    handed_out: VecDeque<Arc<EventBatch>>,
    /// How many of them may be left to be told.
    ahead: usize,
    /// Whether somebody wants to know how many windows are open.
    is_asked: bool,
}

impl Shards {
    /// Starts so many threads.
    ///
    /// # Errors
    /// The system gives none.
    pub fn start(config: &Config, count: usize) -> Result<Shards, Error> {
        // What looks at rows sees them one by one, and may end the run: nothing is done ahead of it.
        let is_looked_at = config.gate.is_some();
        let writer = || if is_looked_at { None } else { config.row_format.writer(config.shape.clone()) };
        let config = &config.engine;
        let shard = |part| Shard::new(config.clone(), Share::Keys { part, of: count });
        let workers = (0..count).map(|part| Worker::start(part, shard(part), writer()));
        Ok(Shards {
            rest: Shard::new(config.clone(), Share::Rest),
            workers: workers.collect::<Result<_, _>>()?,
            handed_out: VecDeque::new(),
            ahead: if is_looked_at { 0 } else { AHEAD },
            is_asked: false,
        })
    }

    /// How many of them there are.
    pub fn count(&self) -> usize {
        self.workers.len()
    }

    /// The engine that knows how far the input has been told.
    pub fn lead(&self) -> &Engine {
        self.rest.engine()
    }

    /// Hands a batch out.
    pub fn hand_out(&mut self, batch: EventBatch) {
        let batch = Arc::new(batch);
        let counts = std::mem::take(&mut self.is_asked);
        for worker in &self.workers {
            worker.give(Job::Take { batch: batch.clone(), counts });
        }
        self.handed_out.push_back(batch);
    }

    /// Whether a batch is handed out that has not been told.
    pub fn is_busy(&self) -> bool {
        !self.handed_out.is_empty()
    }

    /// Whether the first of them is to be told now: all have taken it, or are too far ahead.
    pub fn is_due(&mut self) -> bool {
        // All are asked, so that nobody waits for one who has answered.
        let missing = self.workers.iter_mut().map(Worker::has_next).filter(|has_next| !has_next).count();
        self.is_busy() && (missing == 0 || self.handed_out.len() > self.ahead)
    }

    /// Where something comes from that the first of them waits for.
    pub fn awaited(&self) -> impl Iterator<Item = &Receiver<Answer>> {
        let workers = self.workers.iter().filter(|_| self.is_busy());
        workers.filter(|worker| worker.head.is_none()).map(|worker| &worker.answers)
    }

    /// Tells what comes of the batch that was handed out first, once all have taken it; returns it if there is one.
    ///
    /// # Errors
    /// A thread broke down.
    pub fn tell_next(&mut self, emit: &mut dyn TakeRows) -> Result<Option<EventBatch>, Error> {
        let Some(batch) = self.handed_out.pop_front() else { return Ok(None) };
        let mut reporter = Reporter::new();
        self.rest.take(&batch, &mut reporter);
        self.tell(Some(&batch), reporter.finish(), emit)?;
        Arc::into_inner(batch).map_or(Err(Error::Defect), |batch| Ok(Some(batch)))
    }

    /// The input has ended, and all of it has been told.
    ///
    /// # Errors
    /// A thread broke down.
    pub fn end(&mut self, emit: &mut dyn TakeRows) -> Result<(), Error> {
        self.workers.iter().for_each(|worker| worker.give(Job::End));
        let mut reporter = Reporter::new();
        self.rest.end(&mut reporter);
        self.tell(None, reporter.finish(), emit)
    }

    fn tell(&mut self, batch: Option<&EventBatch>, rest: Report, emit: &mut dyn TakeRows) -> Result<(), Error> {
        let mut heads = vec![rest];
        for worker in &mut self.workers {
            heads.push(worker.next()?);
        }
        tell(batch, &mut heads, &mut Further(&mut self.workers), emit)
    }

    /// What was counted up to the batch that was told last, but for open windows.
    pub fn tally(&self) -> Counters {
        sum(self.lead().tally(), self.workers.iter().map(|worker| &worker.tally))
    }

    /// Records of the batches that have been told.
    pub fn records(&self) -> u64 {
        self.lead().records() + self.workers.iter().map(|worker| worker.tally.records).sum::<u64>()
    }

    /// Open windows, counted now. All that was handed out has been told.
    pub fn open_windows(&mut self) -> u64 {
        self.workers.iter().for_each(|worker| worker.give(Job::Count));
        for worker in &mut self.workers {
            // One that broke down has said so before.
            let _ = worker.next();
        }
        self.workers.iter().map(|worker| worker.open_windows).sum()
    }

    /// The same at any time: if something is handed out, as it was a little while ago, and how long it took to count them
    /// then; they are counted again with the next batch.
    pub fn recent_open_windows(&mut self) -> (u64, Duration) {
        if !self.is_busy() {
            return (self.open_windows(), Duration::ZERO);
        }
        self.is_asked = true;
        let longest = self.workers.iter().map(|worker| worker.counting).max();
        (self.workers.iter().map(|worker| worker.open_windows).sum(), longest.unwrap_or_default())
    }
}
