/** Lets in only what these lines name: source, protocol, destination port (0 for ICMP). All else is dropped. */
const allowed = ["10.0.0.0/8 tcp 22", "203.0.113.0/24 tcp 443", "2001:db8::/32 tcp 443", "0.0.0.0/0 icmp 0"];

export const evaluator = {
  name: "allow-list",
  load(_data, { Verdict, Reads, Protocol, parsePrefix, containsAddress }) {
    const rows = allowed.map((line) => {
      const [from, protocol, port] = line.split(" ");
      return { prefix: parsePrefix(from), protocol: Protocol[protocol], port: Number(port) };
    });
    const matches = ({ prefix, protocol, port }, view) =>
      protocol === view.protocol && port === view.destinationPort && containsAddress(prefix, view.source);
    return {
      reads: Reads.addresses | Reads.protocol | Reads.destinationPort,
      rules: allowed.map((rule) => ({ policy: "allowed", rule })),
      evaluateIngress(view) {
        view.rule = rows.length - 1;
        while (view.rule >= 0 && !matches(rows[view.rule], view)) view.rule--;
        return view.rule < 0 ? Verdict.deny : Verdict.accept;
      },
    };
  },
};
