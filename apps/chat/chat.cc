// apps/chat/chat.cc: a chat server with rooms, over TLS.
//
// Each connection has two goroutines: one reads lines and acts on them, the other writes what the
// room says. Between them is a channel with room for some lines; a member who does not read them in
// time is shown out, so that nobody waits for him.
#include <signal.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gflags/gflags.h"
#include "gort/apps/common/flags.h"
#include "gort/apps/tls/tls_conn.h"
#include "gort/gort.h"

DEFINE_string(cert, "", "PEM file: the server's certificate chain");
DEFINE_string(key, "", "PEM file: its key");
DEFINE_string(address, "127.0.0.1:0", "where to listen; port 0: a free one, which is printed");
DEFINE_double(hello_seconds, 10, "how long a client may take to connect and say its name");

namespace {

constexpr char kUsage[] = R"(usage: chat --cert=FILE --key=FILE [flags]
A chat server over TLS, in lines. The first line of a client is its name; then a line is said to the room, or is
    /join ROOM      goes to another room; all begin in "lobby"
    /who            lists who is in the room
    /quit           leaves
Prints "listening on HOST:PORT" when it is ready; SIGTERM ends it.
)";
constexpr size_t kLinesInTime = 256;
constexpr size_t kMaxLine = 1024;

struct Member {
  std::string name;
  gort::CancelScope session;  // to show the member out
  gort::Chan<std::string> lines = gort::MakeChan<std::string>(kLinesInTime);
  std::string room = {};  // Rooms has set it
};

void Tell(const Member& to, const std::string& line) {
  if (!to.lines.TrySend(line + "\n")) {
    to.session.Cancel(absl::ResourceExhaustedError(to.name + " does not read"));
  }
}

// Who is where. The order of what is said in a room is the same for all who are in it.
class Rooms {
 public:
  // False: somebody there has this name, and the member stays where it is.
  bool Enter(const std::string& room, Member* m) {
    std::lock_guard lock(mu_);
    std::set<Member*>& there = rooms_[room];
    const auto has_name = [m](const Member* other) { return other != m && other->name == m->name; };
    if (std::any_of(there.begin(), there.end(), has_name)) return false;
    Remove(m);
    m->room = room;
    rooms_[room].insert(m);
    TellAll(room, "* " + m->name + " enters " + room);
    return true;
  }
  void Leave(Member* m) {
    std::lock_guard lock(mu_);
    Remove(m);
  }
  void Say(const Member& from, std::string_view text) {
    std::lock_guard lock(mu_);
    TellAll(from.room, from.name + ": " + std::string(text));
  }
  void Who(const Member& asks) {
    std::lock_guard lock(mu_);
    std::string names;
    for (const Member* m : rooms_[asks.room]) names += " " + m->name;
    Tell(asks, "* in " + asks.room + ":" + names);
  }

 private:
  void Remove(Member* m) {
    const auto room = rooms_.find(m->room);
    if (room == rooms_.end() || room->second.erase(m) == 0) return;
    TellAll(m->room, "* " + m->name + " leaves");
    if (room->second.empty()) rooms_.erase(room);
  }
  void TellAll(const std::string& room, const std::string& line) {
    for (const Member* m : rooms_[room]) Tell(*m, line);
  }

  gort::Mutex mu_;
  std::map<std::string, std::set<Member*>> rooms_;  // guarded by mu_
};

// Acts on the lines of a member, until it leaves.
absl::Status Talk(gort::LineReader<tls::Conn>* in, Member* me, Rooms* rooms) {
  for (;;) {
    const auto line = in->Next(me->session.context());
    if (!line.ok() || !line->has_value() || *line == "/quit") return line.status();
    constexpr std::string_view kJoin = "/join ";
    if (*line == "/who") {
      rooms->Who(*me);
    } else if ((*line)->starts_with(kJoin)) {
      const std::string room((*line)->substr(kJoin.size()));
      if (!rooms->Enter(room, me)) Tell(*me, "* somebody in " + room + " has your name");
    } else {
      rooms->Say(*me, **line);
    }
  }
}

// A connection from its first byte to its last.
absl::Status Serve(const gort::Context& ctx, gort::Conn socket, const tls::Settings& settings,
                   Rooms* rooms) {
  gort::CancelScope hello(ctx, absl::Seconds(FLAGS_hello_seconds));
  auto conn = tls::Conn::Open(hello.context(), std::move(socket), settings, nullptr);
  if (!conn.ok()) return conn.status();
  gort::LineReader in(conn->get(), kMaxLine);
  const auto name = in.Next(hello.context());
  if (!name.ok() || !name->has_value()) return name.status();

  Member me{std::string(**name), gort::CancelScope(ctx)};
  gort::TaskGroup writer(me.session.context());
  writer.Go([&](const gort::Context& until) -> absl::Status {
    for (;;) {
      const auto line = me.lines.Recv(until);
      if (!line.ok() || !line->has_value()) return line.status();
      if (auto n = (*conn)->Write(until, **line); !n.ok()) {
        me.session.Cancel(n.status());
        return n.status();
      }
    }
  });
  absl::Status s = absl::AlreadyExistsError("somebody in the lobby has the name " + me.name);
  if (rooms->Enter("lobby", &me)) {
    s = Talk(&in, &me, rooms);
    rooms->Leave(&me);
  } else {
    Tell(me, "* somebody has this name");
  }
  me.lines
      .Close();  // nobody tells it anything any more; what was told is still written, for a while
  (*conn)->socket().SetWriteDeadline(gort::Now() + absl::Seconds(5)).IgnoreError();
  writer.Wait().IgnoreError();
  return gort::Cause(me.session.context()).ok() ? s : gort::Cause(me.session.context());
}

int Fail(const absl::Status& s) {
  std::fprintf(stderr, "chat: %s\n", s.ToString().c_str());
  return 1;
}

}  // namespace

int gort_main(int argc, char** argv) {
  if (!apps::ParseFlags(argc, argv, kUsage, __FILE__).empty()) apps::BadUsage("no arguments");
  const auto settings = tls::Load({.cert = FLAGS_cert, .key = FLAGS_key});
  if (!settings.ok()) return Fail(settings.status());
  gort::os::SignalContext end(gort::Background(), {SIGTERM, SIGINT});
  absl::StatusOr<gort::Listener> listener = gort::Listen("tcp", FLAGS_address);
  if (!listener.ok()) return Fail(listener.status());
  std::printf("listening on %s\n", listener->Addr().c_str());
  std::fflush(stdout);

  Rooms rooms;
  gort::TaskGroup sessions(end.context());
  for (;;) {
    absl::StatusOr<gort::Conn> socket = listener->Accept(end.context());
    if (absl::IsResourceExhausted(socket.status())) continue;  // Accept has waited
    if (!socket.ok()) return end.signal() != 0 ? 0 : Fail(socket.status());
    sessions.Go(
        [&](const gort::Context& ctx, gort::Conn c) {
          const absl::Status s = Serve(ctx, std::move(c), *settings, &rooms);
          if (!s.ok() && !absl::IsCancelled(s)) Fail(s);  // what the signal ends is no failure
        },
        *std::move(socket));
  }
}
