#include "crash_guard.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static _Thread_local int depth;
static _Thread_local const char *blame;

static void handle(int signal) {
  if (depth > 0 && blame) {
    // Only what POSIX allows in a handler: the heap may be in any state.
    ssize_t written = write(STDERR_FILENO, blame, strlen(blame));
    (void)written;
    _exit(65);
  }
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = SIG_DFL;
  sigaction(signal, &action, NULL);
  raise(signal);
}

void crash_guard_install(void) {
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
}

void crash_guard_enter(void) { depth++; }
void crash_guard_leave(void) {
  if (--depth == 0) blame = NULL;
}
void crash_guard_blame(const char *message) { blame = message; }
