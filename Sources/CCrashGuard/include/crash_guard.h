#pragma once

// Turns a crash or an endless loop of a C library, in a file that it should have refused, into a message and an exit
// status.
//
// A program that wants it calls crash_guard_install() once; without that the rest does nothing. Around calls into the
// library the wrapper says what a failure there means; only one thread at a time may be inside.

// From now on SIGSEGV, SIGBUS, SIGFPE and SIGABRT on a thread that is inside, or `seconds` of its processor time spent
// inside at one go, write the text of crash_guard_blame() to standard error and end the process with status 65
// (sysexits: the data are wrong).
void crash_guard_install(double seconds);

// This thread is inside the library until it leaves. May be nested.
void crash_guard_enter(void);
void crash_guard_leave(void);

// What a failure inside means: one line, which must live on; forgotten on leaving.
void crash_guard_blame(const char *message);
