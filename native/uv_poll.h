// The few libuv functions that polling a socket takes. Node exports them, but the headers that come from npm
// (node-api-headers) don't declare them, and Node's own need a download. They are used through opaque pointers and
// libuv's size query, whose names, signatures and numbers libuv keeps within version 1 (docs.libuv.org, "uv_poll_t",
// "uv_handle_t"); every Node from 20 to 26 carries libuv 1.
#ifndef VERDICTD_UV_POLL_H_
#define VERDICTD_UV_POLL_H_

#include <stddef.h>

extern "C" {
struct uv_loop_s;
struct uv_poll_s;
struct uv_handle_s;
int uv_poll_init(uv_loop_s* loop, uv_poll_s* handle, int fd);
int uv_poll_start(uv_poll_s* handle, int events, void (*callback)(uv_poll_s* handle, int status, int events));
int uv_poll_stop(uv_poll_s* handle);
void uv_close(uv_handle_s* handle, void (*callback)(uv_handle_s* handle));
size_t uv_handle_size(int type);
void* uv_handle_get_data(const uv_handle_s* handle);
void uv_handle_set_data(uv_handle_s* handle, void* data);
}

namespace verdictd {
constexpr int kUvPollHandle = 8;  // UV_POLL in enum uv_handle_type
constexpr int kUvReadable = 1;    // UV_READABLE
}  // namespace verdictd

#endif  // VERDICTD_UV_POLL_H_
