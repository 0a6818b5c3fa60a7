// A file descriptor that closes itself, once.
#ifndef VERDICTD_FILE_DESCRIPTOR_H_
#define VERDICTD_FILE_DESCRIPTOR_H_

#include <unistd.h>

namespace verdictd {

class FileDescriptor {
 public:
  explicit FileDescriptor(int fd = -1) : fd_(fd) {}
  ~FileDescriptor() { Close(); }
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;

  int get() const { return fd_; }
  bool is_open() const { return fd_ >= 0; }
  void Reset(int fd) {
    Close();
    fd_ = fd;
  }
  void Close() {
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
  }

 private:
  int fd_;
};

}  // namespace verdictd

#endif  // VERDICTD_FILE_DESCRIPTOR_H_
