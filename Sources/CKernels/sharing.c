#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>

#include "kernels.h"

// How often a thread looks for what it waits for before it sleeps: about a tenth of a millisecond.
enum { MOST_LOOKS = 4000, MOST_HELPERS = 255 };

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

/// A thread that does shares of loops, each time that its number of orders grows.
struct helper {
  _Alignas(64) struct number orders;
};

// All of these belong to the caller that holds the lock.
static pthread_mutex_t caller = PTHREAD_MUTEX_INITIALIZER;
static struct helper helpers[MOST_HELPERS];
static int helper_count;
static void (*shared_work)(void *, int);
static void *shared_context;
// How many helpers have not done their share; the last one to do it says so in `finished`.
static atomic_int unfinished;
static struct number finished = NUMBER_INITIALIZER;

static void *help(void *argument) {
  int index = (int)(intptr_t)argument;
  is_sharing = 1;
  for (int done = 0;; done = (int)((unsigned)done + 1)) {
    wait_while(&helpers[index].orders, done);
    shared_work(shared_context, index + 1);
    if (atomic_fetch_sub(&unfinished, 1) == 1) increase(&finished);
  }
  return NULL;
}

static int start_helper(void) {
  struct helper *helper = helpers + helper_count;
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

int ck_share(int shares, void (*work)(void *context, int share), void *context) {
  if (shares > MOST_HELPERS + 1 || pthread_mutex_trylock(&caller)) return 0;
  while (helper_count < shares - 1) {
    if (!start_helper()) {
      pthread_mutex_unlock(&caller);
      return 0;
    }
  }
  int before = atomic_load(&finished.value);
  shared_work = work;
  shared_context = context;
  atomic_store(&unfinished, shares - 1);
  for (int i = 0; i < shares - 1; i++) increase(&helpers[i].orders);
  is_sharing = 1;
  work(context, 0);
  is_sharing = 0;
  if (shares > 1) wait_while(&finished, before);
  pthread_mutex_unlock(&caller);
  return 1;
}
