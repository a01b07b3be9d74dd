import { expect } from "chai";
import { matchDomain } from "./match-domain.ts";

const hosts = [
	{ name: "any", domains: ["*"] },
	{ name: "suffix", domains: ["*.example.com"] },
	{ name: "long", domains: ["*.api.example.com", "*-v2.example.com"] },
	{ name: "prefix", domains: ["api.*"] },
	{ name: "exact", domains: ["reviews", "reviews:80", "[::1]:9080"] },
];

const find = (authority: string, ignorePort = false) =>
	matchDomain(hosts, authority, ignorePort)?.host.name;

describe("matchDomain", () => {
	it("prefers the exact name, then the longest ending, then the longest beginning, then anything", () => {
		expect(find("reviews")).to.equal("exact");
		expect(find("x.api.example.com")).to.equal("long");
		expect(find("api.example.com")).to.equal("suffix");
		expect(find("api.example.org")).to.equal("prefix");
		expect(find("other")).to.equal("any");
	});

	it("lets the star stand for at least one character", () => {
		expect(find(".example.com")).to.equal("any");
		expect(find("-v2.example.com")).to.equal("suffix");
		expect(find("x-v2.example.com")).to.equal("long");
	});

	it("knows no case", () => {
		expect(find("REVIEWS")).to.equal("exact");
	});

	it("counts the port unless it is to be ignored", () => {
		expect(find("reviews:9080")).to.equal("any");
		expect(find("reviews:9080", true)).to.equal("exact");
		expect(find("reviews:80")).to.equal("exact");
		expect(find("[::1]:9080")).to.equal("exact");
	});

	it("finds nothing where nothing takes what is left over", () => {
		expect(matchDomain(hosts.slice(1), "other", false)).to.equal(undefined);
	});
});
