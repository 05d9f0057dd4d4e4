#include "unit.h"

#include "base/networks.h"

#include <arpa/inet.h>

static struct sockaddr_storage address_of(const char *text)
{
    struct sockaddr_storage storage = {0};
    struct sockaddr_in *v4 = (struct sockaddr_in *)&storage;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&storage;
    if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
        storage.ss_family = AF_INET;
    } else {
        assert_int_equal(inet_pton(AF_INET6, text, &v6->sin6_addr), 1);
        storage.ss_family = AF_INET6;
    }
    return storage;
}

static void addresses_that_anybody_may_have(void **state)
{
    (void)state;
    static const struct {
        const char *address;
        bool is_public;
    } cases[] = {
        {"1.1.1.1", true},
        {"93.184.216.34", true},
        {"::ffff:93.184.216.34", true},
        {"2606:4700::1111", true},
        {"100.63.255.255", true},
        {"100.128.0.0", true},
        {"172.15.255.255", true},
        {"172.32.0.0", true},
        {"0.0.0.0", false},
        {"0.1.2.3", false},
        {"10.0.0.1", false},
        {"100.64.0.1", false},
        {"100.127.255.255", false},
        {"127.0.0.1", false},
        {"127.255.255.254", false},
        {"169.254.169.254", false},
        {"172.16.0.1", false},
        {"172.31.255.255", false},
        {"192.0.0.8", false},
        {"192.0.2.1", false},
        {"192.168.1.1", false},
        {"198.18.0.1", false},
        {"198.51.100.1", false},
        {"203.0.113.1", false},
        {"224.0.0.1", false},
        {"240.0.0.1", false},
        {"255.255.255.255", false},
        {"::", false},
        {"::1", false},
        {"::ffff:10.0.0.1", false},
        {"::ffff:127.0.0.1", false},
        {"::127.0.0.1", false},
        {"::ffff:0:127.0.0.1", false},
        {"64:ff9b::7f00:1", false},
        {"64:ff9b::a9fe:a9fe", false},
        {"64:ff9b:1::1", false},
        {"100::1", false},
        {"2001::1", false},
        {"2001:db8::1", false},
        {"2002:7f00:1::1", false},
        {"3fff::1", false},
        {"fc00::1", false},
        {"fd00:ec2::254", false},
        {"fe80::1", false},
        {"fec0::1", false},
        {"ff02::1", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sockaddr_storage address = address_of(cases[i].address);
        if (networks_is_public((struct sockaddr *)&address) != cases[i].is_public)
            fail_msg("%s", cases[i].address);
    }
    struct sockaddr other = {.sa_family = AF_UNIX};
    assert_false(networks_is_public(&other));
}

static void networks_contain_what_they_should(void **state)
{
    (void)state;
    static const struct {
        const char *networks, *address;
        bool contains;
    } cases[] = {
        {"127.0.0.0/8", "127.1.2.3", true},
        {"127.0.0.0/8", "128.0.0.1", false},
        {"127.0.0.0/8", "::ffff:127.0.0.1", true},
        {"::ffff:127.0.0.0/104", "127.0.0.1", true},
        {"10.1.2.3", "10.1.2.3", true},
        {"10.1.2.3", "10.1.2.4", false},
        {"10.0.0.0/8,fd00::/8", "fd12::1", true},
        {" 10.0.0.0/8 , fd00::/8 ", "10.9.9.9", true},
        {"10.128.0.0/9", "10.127.255.255", false},
        {"0.0.0.0/0", "::1", false},
        {"", "127.0.0.1", false},
        {"::/0", "127.0.0.1", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct networks networks;
        struct sockaddr_storage address = address_of(cases[i].address);
        assert_int_equal(networks_read(cases[i].networks, &networks), STATUS_OK);
        if (networks_contain(&networks, (struct sockaddr *)&address) != cases[i].contains)
            fail_msg("%s in %s", cases[i].address, cases[i].networks);
    }
}

static void what_is_no_network(void **state)
{
    (void)state;
    static const char *const cases[] = {"localhost",     "127.0.0.0/33", "127.0.0.1/8", "10/8",
                                        "10.0.0.0/",     "10.0.0.0/x",   "10.0.0.0/8x", "::1/129",
                                        "10.0.0.0/8;::", "/8",           "10.0.0.0/-1"};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct networks networks = {.count = 77};
        if (networks_read(cases[i], &networks) != STATUS_INVALID || networks.count != 77)
            fail_msg("%s", cases[i]);
    }
    char many[8 * (NETWORKS_MAX + 1) + 1] = "";
    for (int i = 0; i <= NETWORKS_MAX; i++)
        snprintf(many + 8 * i, 9, "1.2.3.4 ");
    struct networks networks;
    assert_int_equal(networks_read(many, &networks), STATUS_INVALID);
    many[8 * NETWORKS_MAX] = '\0';
    assert_int_equal(networks_read(many, &networks), STATUS_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_that_anybody_may_have),
        cmocka_unit_test(networks_contain_what_they_should),
        cmocka_unit_test(what_is_no_network),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
