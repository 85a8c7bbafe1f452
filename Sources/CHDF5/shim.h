#pragma once
#include <hdf5.h>
#include <hdf5_hl.h>
#include <string.h>
#if H5_VERSION_GE(1, 13, 0)
#include <H5FDdevelop.h>
#endif

// HDF5's predefined identifiers are macros that call H5open() and read a global variable: Swift imports
// neither, so each one that is used has a function of its own.
#define CHDF5_ID(name) \
  static inline hid_t chdf5_##name(void) { return name; }
CHDF5_ID(H5T_NATIVE_FLOAT)
CHDF5_ID(H5T_NATIVE_DOUBLE)
CHDF5_ID(H5T_NATIVE_INT8)
CHDF5_ID(H5T_NATIVE_INT16)
CHDF5_ID(H5T_NATIVE_INT32)
CHDF5_ID(H5T_NATIVE_INT64)
CHDF5_ID(H5T_NATIVE_UINT8)
CHDF5_ID(H5T_NATIVE_UINT16)
CHDF5_ID(H5T_NATIVE_UINT32)
CHDF5_ID(H5T_NATIVE_UINT64)
CHDF5_ID(H5T_IEEE_F32LE)
CHDF5_ID(H5T_IEEE_F64LE)
CHDF5_ID(H5T_STD_I8LE)
CHDF5_ID(H5T_STD_I16LE)
CHDF5_ID(H5T_STD_I32LE)
CHDF5_ID(H5T_STD_I64LE)
CHDF5_ID(H5T_STD_U8LE)
CHDF5_ID(H5T_STD_U16LE)
CHDF5_ID(H5T_STD_U32LE)
CHDF5_ID(H5T_STD_U64LE)
CHDF5_ID(H5T_C_S1)
CHDF5_ID(H5P_FILE_CREATE)
CHDF5_ID(H5P_FILE_ACCESS)
CHDF5_ID(H5P_GROUP_CREATE)
CHDF5_ID(H5P_DATASET_CREATE)
CHDF5_ID(H5P_LINK_CREATE)
#undef CHDF5_ID

static inline unsigned chdf5_H5F_ACC_RDONLY(void) { return H5F_ACC_RDONLY; }
static inline unsigned chdf5_H5F_ACC_RDWR(void) { return H5F_ACC_RDWR; }
static inline unsigned chdf5_H5F_ACC_TRUNC(void) { return H5F_ACC_TRUNC; }
static inline unsigned chdf5_H5F_ACC_EXCL(void) { return H5F_ACC_EXCL; }
static inline size_t chdf5_H5T_VARIABLE(void) { return H5T_VARIABLE; }
static inline hsize_t chdf5_H5S_UNLIMITED(void) { return H5S_UNLIMITED; }
static inline hid_t chdf5_H5P_DEFAULT(void) { return H5P_DEFAULT; }
static inline haddr_t chdf5_HADDR_UNDEF(void) { return HADDR_UNDEF; }
static inline unsigned chdf5_H5Z_FLAG_REVERSE(void) { return H5Z_FLAG_REVERSE; }
static inline unsigned chdf5_creation_order(void) { return H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED; }

// The error stack of this thread as text, innermost message first, lines separated by '\n'.
struct chdf5_text {
  char *characters;
  size_t capacity;
};

static inline herr_t chdf5_append_error(unsigned n, const H5E_error2_t *error, void *data) {
  (void)n;
  struct chdf5_text *text = (struct chdf5_text *)data;
  size_t used = strlen(text->characters);
  const char *description = error->desc ? error->desc : "";
  size_t length = strlen(description);
  if (used + length + 2 > text->capacity) return 0;
  memcpy(text->characters + used, description, length);
  text->characters[used + length] = '\n';
  text->characters[used + length + 1] = '\0';
  return 0;
}

static inline void chdf5_error_text(char *characters, size_t capacity) {
  characters[0] = '\0';
  struct chdf5_text text = {characters, capacity};
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, chdf5_append_error, &text);
}

// Where an object lies in the file. H5Oget_info is a macro in some versions.
static inline haddr_t chdf5_object_address(hid_t object) {
#if H5_VERSION_GE(1, 12, 0)
  H5O_info1_t information;
  return H5Oget_info1(object, &information) < 0 ? HADDR_UNDEF : information.addr;
#elif H5_VERSION_GE(1, 10, 3)
  H5O_info_t information;
  return H5Oget_info1(object, &information) < 0 ? HADDR_UNDEF : information.addr;
#else
  H5O_info_t information;
  return H5Oget_info(object, &information) < 0 ? HADDR_UNDEF : information.addr;
#endif
}

// Without this a file system that has no locks (some network ones) refuses every file. New in 1.10.7.
static inline void chdf5_ignore_missing_locks(hid_t access) {
#if H5_VERSION_GE(1, 10, 7)
  H5Pset_file_locking(access, 1, 1);
#else
  (void)access;
#endif
}

// What a driver is known by: its name, which must live on, and since 1.13 a number, from 512 on for drivers like ours.
static inline void chdf5_name_driver(H5FD_class_t *driver, const unsigned char *name) {
  driver->name = (const char *)name;
#if H5_VERSION_GE(1, 13, 0)
  driver->value = (H5FD_class_value_t)600;
#endif
}

// Lets the system begin to write what it has of a file, without waiting. The C library declares the call for GNU's
// dialect only.
#ifdef __linux__
extern int sync_file_range(int file, __off64_t start, __off64_t count, unsigned flags);
static inline void chdf5_start_writeback(int file) { sync_file_range(file, 0, 0, 2 /* SYNC_FILE_RANGE_WRITE */); }
#else
static inline void chdf5_start_writeback(int file) { (void)file; }
#endif
