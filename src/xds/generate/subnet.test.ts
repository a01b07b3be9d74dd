import { expect } from "chai";
import { parseSubnet, subnetContains } from "./subnet.ts";

describe("subnets", () => {
	const cases = [
		{
			name: "a range its own addresses",
			outer: "10.1.0.0/16",
			inner: "10.1.2.3",
			want: true,
		},
		{
			name: "a range no other addresses",
			outer: "10.1.0.0/16",
			inner: "10.2.0.1",
			want: false,
		},
		{
			name: "a range itself, however it is written",
			outer: "10.1.9.9/16",
			inner: "10.1.0.0/16",
			want: true,
		},
		{
			name: "a range no wider one",
			outer: "10.1.0.0/16",
			inner: "10.0.0.0/8",
			want: false,
		},
		{
			name: "everything each address of its family",
			outer: "0.0.0.0/0",
			inner: "10.1.2.3",
			want: true,
		},
		{
			name: "nothing of the other family",
			outer: "0.0.0.0/0",
			inner: "::1",
			want: false,
		},
		{
			name: "an IPv6 range its own addresses",
			outer: "fd00::/8",
			inner: "fdab:1::2",
			want: true,
		},
		{
			name: "an IPv6 range its own addresses, written in full",
			outer: "2001:db8::/32",
			inner: "2001:0DB8:0:0:0:0:0:1",
			want: true,
		},
		{
			name: "an IPv6 range no other addresses",
			outer: "2001:db8::/33",
			inner: "2001:db8:8000::",
			want: false,
		},
		{
			name: "an address with an IPv4 end itself",
			outer: "::ffff:10.0.0.1",
			inner: "::ffff:a00:1",
			want: true,
		},
	] as const;
	for (const { name, outer, inner, want } of cases) {
		it(`${want ? "contain" : "do not contain"}: ${name}`, () => {
			expect(subnetContains(parseSubnet(outer), parseSubnet(inner))).to.equal(
				want,
			);
		});
	}
});
