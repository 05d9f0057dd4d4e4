# Read by a shell in this folder (`. ./machine.sh`) and by render: the values of cluster.env, and NAME and SELF, which are this machine's.
# shellcheck shell=bash disable=SC2034
# shellcheck source=/dev/null
. "$(dirname "${BASH_SOURCE[0]}")/cluster.env"
case " $(hostname -I) " in
*" $A "*) NAME=a SELF=$A ;;
*" $B "*) NAME=b SELF=$B ;;
*" $C "*) NAME=c SELF=$C ;;
*) echo "this machine has none of the addresses A=$A, B=$B and C=$C of cluster.env" >&2 && false ;;
esac
# So that patronictl needs no -c.
export PATRONICTL_CONFIG_FILE=/etc/patroni/config.yml
