import { expect } from "chai";
import { outboundCapturePort } from "../xds/generate/captured-listener.ts";
import { inboundCapturePort } from "../xds/generate/inbound-listener.ts";
import { type Capture, captureRules } from "./capture-rules.ts";
import { ports } from "./names.ts";

const plain: Capture = {
	proxyId: 1337,
	outboundPort: 15001,
	inboundPort: 15006,
	includeInboundPorts: "all",
	excludeInboundPorts: [],
	includeOutboundSubnets: "all",
	excludeOutboundSubnets: [],
	includeOutboundPorts: [],
	excludeOutboundPorts: [],
};

/** The rules of one chain, in order. */
function chain(
	name: "INBOUND" | "OUTPUT",
	capture: Partial<Capture>,
	family: "IPv4" | "IPv6" = "IPv4",
): readonly string[] {
	const prefix = `-A LATEEN_${name} `;
	return captureRules({ ...plain, ...capture }, family)
		.split("\n")
		.filter((line) => line.startsWith(prefix))
		.map((line) => line.slice(prefix.length));
}

describe("captureRules", () => {
	it("sends traffic to the ports that the proxy listens on", () => {
		expect([ports.outbound, ports.inbound]).to.deep.equal([
			outboundCapturePort,
			inboundCapturePort,
		]);
	});

	it("lets excluded ports in before anything else is looked at", () => {
		expect(
			chain("INBOUND", { excludeInboundPorts: [9100, 15020] }),
		).to.deep.equal([
			"-p tcp --dport 9100 -j RETURN",
			"-p tcp --dport 15020 -j RETURN",
			"-p tcp -j LATEEN_TO_INBOUND",
		]);
	});

	it("captures the included ports alone, less the excluded ones", () => {
		expect(
			chain("INBOUND", {
				includeInboundPorts: [80, 443],
				excludeInboundPorts: [443],
			}),
		).to.deep.equal([
			"-p tcp --dport 443 -j RETURN",
			"-p tcp --dport 80 -j LATEEN_TO_INBOUND",
			"-p tcp --dport 443 -j LATEEN_TO_INBOUND",
		]);
		expect(chain("INBOUND", { includeInboundPorts: [] })).to.deep.equal([]);
	});

	it("knows the proxy by its user and by its group", () => {
		const rules = chain("OUTPUT", { proxyId: 4711 });
		for (const owner of ["uid", "gid"])
			expect(rules).to.include(`-m owner --${owner}-owner 4711 -j RETURN`);
	});

	it("weighs what goes out: excluded ports, the proxy, this machine, excluded subnets, included ports, included subnets", () => {
		const order = chain("OUTPUT", {
			excludeOutboundPorts: [25],
			excludeOutboundSubnets: ["10.9.0.0/16"],
			includeOutboundPorts: [8443],
			includeOutboundSubnets: ["10.0.0.0/8"],
		});
		const at = [
			"-p tcp --dport 25 -j RETURN",
			"-m owner --uid-owner 1337 -j RETURN",
			"-d 127.0.0.1/32 -j RETURN",
			"-d 10.9.0.0/16 -j RETURN",
			"-p tcp --dport 8443 -j LATEEN_TO_OUTBOUND",
			"-d 10.0.0.0/8 -j LATEEN_TO_OUTBOUND",
		].map((rule) => order.indexOf(rule));
		expect(at).to.not.include(-1);
		expect(at).to.deep.equal([...at].sort((a, b) => a - b));
		expect(order).to.not.include("-j LATEEN_TO_OUTBOUND");
	});

	it("gives each family its own subnets and addresses of this machine", () => {
		const both = {
			excludeOutboundSubnets: ["10.9.0.0/16", "fd00::/8", "192.0.2.1"],
		};
		const rules = chain("OUTPUT", both, "IPv6");
		expect(rules).to.include("-d fd00::/8 -j RETURN");
		expect(rules).to.include("-d ::1/128 -j RETURN");
		expect(rules).to.include("-o lo -s ::6/128 -j RETURN");
		expect(rules.join()).to.not.match(/10\.9|127\.0|192\.0/);
		expect(chain("OUTPUT", both).join()).to.not.include("::");
	});
});
