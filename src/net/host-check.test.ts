import { expect } from "chai";
import type { Address } from "./address.ts";
import { foreignOrigin } from "./host-check.ts";

describe("foreignOrigin", () => {
	const loopback: Address = { host: "127.0.0.1", port: 15014 };
	const cases: readonly {
		readonly name: string;
		readonly listening?: Address;
		readonly headers: Readonly<Record<string, string>>;
		readonly refused: boolean;
	}[] = [
		{
			name: "lets localhost through",
			headers: { host: "localhost:15014" },
			refused: false,
		},
		{
			name: "lets a loopback address through",
			headers: { host: "127.0.0.1:15014" },
			refused: false,
		},
		{
			name: "lets the IPv6 loopback address through",
			headers: { host: "[::1]:15014" },
			refused: false,
		},
		{
			name: "refuses a name that was rebound to loopback",
			headers: { host: "evil.example:15014" },
			refused: true,
		},
		{
			name: "refuses a name that begins like a loopback address",
			headers: { host: "127.0.0.1.evil.example:15014" },
			refused: true,
		},
		{ name: "refuses a request without a host", headers: {}, refused: true },
		{
			name: "lets a page of its own through",
			headers: { host: "localhost:15014", origin: "http://localhost:15014" },
			refused: false,
		},
		{
			name: "refuses a page of another site",
			headers: { host: "localhost:15014", origin: "http://evil.example" },
			refused: true,
		},
		{
			name: "refuses a page that hides its origin",
			headers: { host: "localhost:15014", origin: "null" },
			refused: true,
		},
		{
			name: "takes any host on a Unix socket",
			listening: { path: "/run/lateen/admin.sock" },
			headers: { host: "lateen" },
			refused: false,
		},
		{
			name: "takes any host on an address that is open to the network",
			listening: { host: "0.0.0.0", port: 15014 },
			headers: { host: "lateen.example:15014" },
			refused: false,
		},
	];
	for (const { name, listening = loopback, headers, refused } of cases) {
		it(name, () => {
			const why = foreignOrigin(listening, new Map(Object.entries(headers)));
			expect(why !== undefined).to.equal(refused);
		});
	}
});
