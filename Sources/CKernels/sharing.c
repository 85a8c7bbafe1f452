#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>

#include "kernels.h"

// How often a thread looks for what it waits for before it sleeps: about a tenth of a millisecond.
enum { MOST_LOOKS = 4000, MOST_HELPERS = 255 };

// The calling convention of Swift, and of what a closure holds.
#define SWIFT __attribute__((swiftcall))
#define CONTEXT __attribute__((swift_context))

static _Thread_local int is_sharing;

int ck_is_sharing(void) { return is_sharing; }

void ck_set_sharing(int value) { is_sharing = value; }

static inline void pause_briefly(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __builtin_arm_yield();
#endif
}

/// A number that one thread changes and another one waits for.
///
/// The waiting thread announces its sleep before it looks at the number for the last time, the changing one changes the
/// number before it looks for a sleeper: one of them sees the other.
struct number {
  atomic_int value, is_asleep;
  pthread_mutex_t lock;
  pthread_cond_t bell;
};

#define NUMBER_INITIALIZER {0, 0, PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER}

static void wait_while(struct number *number, int value) {
  for (int looks = 0; looks < MOST_LOOKS; looks++) {
    if (atomic_load_explicit(&number->value, memory_order_acquire) != value) return;
    pause_briefly();
  }
  pthread_mutex_lock(&number->lock);
  atomic_store(&number->is_asleep, 1);
  while (atomic_load(&number->value) == value) pthread_cond_wait(&number->bell, &number->lock);
  atomic_store(&number->is_asleep, 0);
  pthread_mutex_unlock(&number->lock);
}

static void increase(struct number *number) {
  atomic_fetch_add(&number->value, 1);
  if (!atomic_load(&number->is_asleep)) return;
  pthread_mutex_lock(&number->lock);
  pthread_cond_signal(&number->bell);
  pthread_mutex_unlock(&number->lock);
}

/// Whether a thread has been asked to help with a loop, and whether it has begun.
enum { FREE, ASKED, AT_WORK };

/// A thread that helps with loops.
struct helper {
  _Alignas(64) atomic_int state;
  /// Grows whenever the thread is asked.
  struct number orders;
};

/// How many pieces of a thread's own part have been taken.
struct part {
  _Alignas(64) atomic_int taken;
};

// All of these belong to the caller that holds the lock.
static pthread_mutex_t caller = PTHREAD_MUTEX_INITIALIZER;
static struct helper helpers[MOST_HELPERS];
static int helper_count;
static struct {
  int threads, pieces, is_backward;
  SWIFT void (*work)(intptr_t, CONTEXT void *);
  void *context;
} loop;
static struct part parts[MOST_HELPERS + 1];
// How many threads are not done with the loop; a helper that is the last one says so in `finished`.
static atomic_int unfinished;
static struct number finished = NUMBER_INITIALIZER;

/// Where the part of a thread begins.
static int part_start(int thread) { return (int)((int64_t)loop.pieces * thread / loop.threads); }

/// Does the pieces of the thread's own part, then what is left of the others'.
static void work_as(int thread) {
  for (int other = 0; other < loop.threads; other++) {
    int owner = (thread + other) % loop.threads;
    int start = part_start(owner), count = part_start(owner + 1) - start;
    for (;;) {
      int piece = atomic_fetch_add_explicit(&parts[owner].taken, 1, memory_order_relaxed);
      if (piece >= count) break;
      loop.work(start + (loop.is_backward ? count - 1 - piece : piece), loop.context);
    }
  }
}

static void *help(void *argument) {
  int index = (int)(intptr_t)argument;
  struct helper *helper = helpers + index;
  is_sharing = 1;
  for (int seen = 0;;) {
    wait_while(&helper->orders, seen);
    seen = atomic_load(&helper->orders.value);
    // A loop that is done by now is not waiting for this thread.
    int expected = ASKED;
    if (!atomic_compare_exchange_strong(&helper->state, &expected, AT_WORK)) continue;
    work_as(index + 1);
    atomic_store(&helper->state, FREE);
    if (atomic_fetch_sub(&unfinished, 1) == 1) increase(&finished);
  }
  return NULL;
}

static int start_helper(void) {
  struct helper *helper = helpers + helper_count;
  atomic_store(&helper->state, FREE);
  helper->orders = (struct number)NUMBER_INITIALIZER;
  // Interruptions are for the threads that were there before; what a thread does to itself stays its own.
  sigset_t interruptions, before;
  sigfillset(&interruptions);
  static const int own[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP};
  for (size_t i = 0; i < sizeof own / sizeof *own; i++) sigdelset(&interruptions, own[i]);
  pthread_sigmask(SIG_BLOCK, &interruptions, &before);
  pthread_t thread;
  int failed = pthread_create(&thread, NULL, help, (void *)(intptr_t)helper_count);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (failed) return 0;
  pthread_detach(thread);
  helper_count++;
  return 1;
}

/// Calls work(0), ..., work(pieces - 1) on so many threads, one of which is the calling one, and returns when all have
/// returned.
///
/// Every thread begins with a part of its own, pieces that follow one another, and then helps with what is left of the
/// others': threads do not always get on equally fast. Loop by loop the parts are gone through forwards and backwards, so
/// that one begins with what the one before it left in the caches.
///
/// Threads are started when they are first needed and stay. One that has nothing to do waits awake for a tenth of a
/// millisecond before it sleeps: loops follow each other closely, and to wake a thread takes as long as many of them. One
/// that wakes when all is done is not waited for.
///
/// Called from Swift alone, where it is declared: `work` and `context` are a closure that does not escape, as Swift
/// passes it. Returns 0 and has called nothing where the threads are busy for another caller or cannot be had.
SWIFT int32_t ck_share(int32_t threads, int32_t pieces, SWIFT void (*work)(intptr_t piece, CONTEXT void *),
                       void *context) {
  if (threads > MOST_HELPERS + 1 || pthread_mutex_trylock(&caller)) return 0;
  while (helper_count < threads - 1) {
    if (!start_helper()) {
      pthread_mutex_unlock(&caller);
      return 0;
    }
  }
  int before = atomic_load(&finished.value);
  loop.threads = threads;
  loop.pieces = pieces;
  loop.is_backward = !loop.is_backward;
  loop.work = work;
  loop.context = context;
  for (int i = 0; i < threads; i++) atomic_store_explicit(&parts[i].taken, 0, memory_order_relaxed);
  atomic_store(&unfinished, threads);
  for (int i = 0; i < threads - 1; i++) {
    atomic_store(&helpers[i].state, ASKED);
    increase(&helpers[i].orders);
  }
  is_sharing = 1;
  work_as(0);
  is_sharing = 0;
  int done = 1;
  for (int i = 0; i < threads - 1; i++) {
    int expected = ASKED;
    done += atomic_compare_exchange_strong(&helpers[i].state, &expected, FREE);
  }
  if (atomic_fetch_sub(&unfinished, done) > done) wait_while(&finished, before);
  pthread_mutex_unlock(&caller);
  return 1;
}
