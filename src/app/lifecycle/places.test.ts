import { expect } from "chai";
import { parseAddress, parseAdminListen, parseSource } from "./places.ts";

describe("parseSource", () => {
	it("takes everything after the first colon as the path", () => {
		expect(parseSource("directory:a:b")).to.deep.equal({
			kind: "directory",
			path: "a:b",
		});
	});

	it("takes Kubernetes, which has no place", () => {
		expect(parseSource("kubernetes")).to.deep.equal({ kind: "kubernetes" });
		expect(() => parseSource("kubernetes:here")).to.throw(
			"--source=kubernetes",
		);
	});

	it("refuses a directory without a path", () => {
		expect(() => parseSource("directory:")).to.throw("directory:PATH");
	});
});

describe("parseAddress", () => {
	it("takes the brackets from an IPv6 address", () => {
		expect(parseAddress("[::1]:15010")).to.deep.equal({
			host: "::1",
			port: 15_010,
		});
	});
});

describe("parseAdminListen", () => {
	const cases = [
		{
			name: "is a socket in the state directory by default",
			text: "unix",
			want: { path: "/state/admin.sock" },
		},
		{
			name: "takes the path of another socket",
			text: "unix:/run/a.sock",
			want: { path: "/run/a.sock" },
		},
		{
			name: "takes a loopback address",
			text: "127.0.0.1:0",
			want: { host: "127.0.0.1", port: 0 },
		},
	];
	for (const { name, text, want } of cases)
		it(name, () =>
			expect(parseAdminListen(text, "/state")).to.deep.equal(want),
		);

	for (const text of ["0.0.0.0:15014", "[::]:15014", "10.0.0.1:1"])
		it(`refuses ${text}, which others could reach`, () =>
			expect(() => parseAdminListen(text, "/state")).to.throw("loopback only"));

	for (const text of ["15014", "127.0.0.1:70000", "tcp"])
		it(`refuses ${text}, which is no address`, () =>
			expect(() => parseAdminListen(text, "/state")).to.throw("Write unix"));
});
