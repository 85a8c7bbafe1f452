#define _GNU_SOURCE
#include "crash_guard.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static _Thread_local int depth;

// Of the thread that is inside; 0 if none is, or nobody watches.
static _Atomic(const char *) blame;
static _Atomic int is_inside;
static _Atomic int inside_clock;
static _Atomic long long inside_since;

static _Atomic int is_installed;
static long long limit;

static void end(void) {
  const char *message = atomic_load(&blame);
  if (!message) return;
  // Only what POSIX allows in a handler: the heap may be in any state.
  ssize_t written = write(STDERR_FILENO, message, strlen(message));
  (void)written;
  _exit(65);
}

static void handle(int signal) {
  if (depth > 0) end();
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = SIG_DFL;
  sigaction(signal, &action, NULL);
  raise(signal);
}

static long long nanoseconds(clockid_t clock) {
  struct timespec time;
  return clock_gettime(clock, &time) ? 0 : time.tv_sec * 1000000000LL + time.tv_nsec;
}

// Looks twice a second whether a call has used up its time.
static void *watch(void *unused) {
  (void)unused;
  for (;;) {
    struct timespec pause = {.tv_sec = 0, .tv_nsec = 500000000};
    nanosleep(&pause, NULL);
    if (!atomic_load(&is_inside)) continue;
    const long long since = atomic_load(&inside_since);
    const long long used = nanoseconds(atomic_load(&inside_clock)) - since;
    // The call may have ended meanwhile.
    if (used > limit && atomic_load(&is_inside) && atomic_load(&inside_since) == since) end();
  }
  return NULL;
}

void crash_guard_install(double seconds) {
  if (atomic_exchange(&is_installed, 1)) return;
  limit = (long long)(seconds * 1e9);
  // A stack of its own for the handler: the crash may be an endless recursion.
  static char stack[1 << 16];
  stack_t alternative = {.ss_sp = stack, .ss_size = sizeof stack};
  sigaltstack(&alternative, NULL);
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = handle;
  action.sa_flags = SA_ONSTACK | SA_NODEFER;
  const int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGABRT};
  for (unsigned i = 0; i < sizeof signals / sizeof *signals; i++) sigaction(signals[i], &action, NULL);

  // The watching thread takes no signals that are meant for the others.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pthread_t thread;
  if (pthread_create(&thread, NULL, watch, NULL) == 0) pthread_detach(thread);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void crash_guard_enter(void) {
  if (depth++ > 0 || !atomic_load_explicit(&is_installed, memory_order_relaxed)) return;
  static _Thread_local clockid_t clock;
  static _Thread_local int has_clock;
  if (!has_clock) has_clock = pthread_getcpuclockid(pthread_self(), &clock) == 0;
  atomic_store(&inside_clock, clock);
  atomic_store(&inside_since, nanoseconds(clock));
  atomic_store(&is_inside, has_clock);
}

void crash_guard_leave(void) {
  if (--depth > 0) return;
  atomic_store(&is_inside, 0);
  atomic_store(&blame, NULL);
}

void crash_guard_blame(const char *message) { atomic_store(&blame, message); }
