import { expect } from "chai";
import { parseTarget } from "./target.ts";

describe("parseTarget", () => {
	it("knows the ports of the schemes and says them only when they are others", () => {
		expect(parseTarget("http://reviews")).to.deep.equal({
			scheme: "http",
			host: "reviews",
			port: 80,
			path: "/",
			authority: "reviews",
		});
		expect(parseTarget("https://x.example:8443/a?b#c")).to.deep.include({
			port: 8443,
			path: "/a?b",
			authority: "x.example:8443",
		});
		expect(parseTarget("tcp://[::1]:5432")).to.deep.include({
			host: "::1",
			port: 5432,
			authority: "[::1]:5432",
		});
	});

	it("leaves paths as they are written but for letters outside ASCII", () => {
		expect(parseTarget("http://x/a/../%41")?.path).to.equal("/a/../%41");
		expect(parseTarget("http://x/é?q=ü")?.path).to.equal("/%C3%A9?q=%C3%BC");
		expect(parseTarget("http://x?q")?.path).to.equal("/?q");
	});

	for (const text of [
		"reviews",
		"tcp://db",
		"ftp://x/",
		"http://",
		"http://x:0/",
		"http://x:70000/",
		"http://user@x/",
		"http://x/a b",
	])
		it(`refuses ${text}`, () => {
			expect(parseTarget(text)).to.equal(undefined);
		});
});
