// Preloaded: netlink sends of more than one verdict fail with ENOBUFS as a kernel without memory would have them, and so
// does every second one of a single verdict.
#include <dlfcn.h>
#include <errno.h>
#include <sys/socket.h>

extern "C" ssize_t send(int fd, const void* bytes, size_t length, int flags) {
  static const auto real = reinterpret_cast<ssize_t (*)(int, const void*, size_t, int)>(dlsym(RTLD_NEXT, "send"));
  static thread_local bool is_refused = false;
  int domain = 0;
  socklen_t size = sizeof domain;
  getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size);
  constexpr size_t kVerdict = 40;
  if (domain == AF_NETLINK && length % kVerdict == 0) {
    is_refused = !is_refused;
    if (length > kVerdict || is_refused) {
      errno = ENOBUFS;
      return -1;
    }
  }
  return real(fd, bytes, length, flags);
}
