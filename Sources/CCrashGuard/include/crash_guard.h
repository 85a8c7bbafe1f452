#pragma once

// Turns a crash of a C library, on a file that it should have refused, into a message and an exit status.
//
// A program that wants it calls crash_guard_install() once; without that the rest does nothing. Around calls
// into the library the wrapper says, per thread, what a crash there means.

// Catches SIGSEGV, SIGBUS, SIGFPE and SIGABRT from now on, on every thread's own or the system's stack.
void crash_guard_install(void);

// From now on until crash_guard_leave() a crash on this thread writes the text of crash_guard_blame() to standard
// error and ends the process with status 65 (sysexits: the data are wrong). May be nested.
void crash_guard_enter(void);
void crash_guard_leave(void);

// What a crash on this thread means: one line, which must live on; NULL for none.
void crash_guard_blame(const char *message);
