# `cmake --build --preset package` makes upbeat_VERSION_amd64.deb by CPack. Included by the CMakeLists.txt at the top.
set(packaging ${CMAKE_SOURCE_DIR}/fcgi/debian)

# What Debian wants compressed; -n leaves name and time out, so that the bytes are the same each time.
function(install_compressed file folder name)
    set(packed ${CMAKE_BINARY_DIR}/package/${name}.gz)
    add_custom_command(OUTPUT ${packed} DEPENDS ${file} VERBATIM
        COMMAND sh -c "mkdir -p \"$(dirname \"$2\")\" && gzip -9nc \"$1\" >\"$2\"" sh ${file} ${packed})
    set_property(GLOBAL APPEND PROPERTY upbeat_packed ${packed})
    install(FILES ${packed} DESTINATION ${folder})
endfunction()

file(GLOB pages CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/fcgi/*.[18] ${packaging}/*.8)
foreach(page ${pages})
    get_filename_component(name ${page} NAME)
    string(REGEX REPLACE ".*\\." "" section ${name})
    install_compressed(${page} share/man/man${section} ${name})
endforeach()
install_compressed(${packaging}/changelog share/doc/upbeat changelog)
get_property(packed GLOBAL PROPERTY upbeat_packed)
add_custom_target(packed ALL DEPENDS ${packed})

install(PROGRAMS ${packaging}/upbeat-setup DESTINATION sbin)
install(PROGRAMS ${packaging}/run-by-hand DESTINATION libexec/upbeat)
install(FILES ${packaging}/settings.sh DESTINATION libexec/upbeat)
# Programs that are run by hand, each by a link to run-by-hand.
foreach(name bin/upbeat-token bin/upbeat-import bin/upbeat-backtest
        sbin/upbeat-fetch sbin/upbeat-history sbin/upbeat-alert sbin/upbeat-migrate)
    get_filename_component(folder ${name} DIRECTORY)
    file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/package/${folder})
    file(CREATE_LINK ../libexec/upbeat/run-by-hand ${CMAKE_BINARY_DIR}/package/${name}.link SYMBOLIC)
    get_filename_component(program ${name} NAME)
    install(FILES ${CMAKE_BINARY_DIR}/package/${name}.link DESTINATION ${folder} RENAME ${program})
endforeach()

install(DIRECTORY ${CMAKE_SOURCE_DIR}/nginx/board DESTINATION share/upbeat)
install(DIRECTORY ${CMAKE_SOURCE_DIR}/nginx/snippets DESTINATION /etc/nginx)
install(FILES ${CMAKE_SOURCE_DIR}/nginx/upbeat.conf ${CMAKE_SOURCE_DIR}/fcgi/prometheus/upbeat-rules.yml DESTINATION share/doc/upbeat/examples)
install(FILES ${CMAKE_SOURCE_DIR}/fcgi/OPERATORS.md ${CMAKE_SOURCE_DIR}/fcgi/METRICS.md DESTINATION share/doc/upbeat)
install(DIRECTORY ${CMAKE_SOURCE_DIR}/fcgi/cluster DESTINATION share/upbeat USE_SOURCE_PERMISSIONS)
install(DIRECTORY ${CMAKE_SOURCE_DIR}/sql DESTINATION share/upbeat
    PATTERN tests EXCLUDE PATTERN README.md EXCLUDE PATTERN migrate EXCLUDE)
install(PROGRAMS ${CMAKE_SOURCE_DIR}/sql/migrate DESTINATION share/upbeat/sql)
install(DIRECTORY ${CMAKE_SOURCE_DIR}/fcgi/units/ DESTINATION lib/systemd/system)
install(FILES ${packaging}/upbeat.sysusers DESTINATION lib/sysusers.d RENAME upbeat.conf)
install(FILES ${packaging}/upbeat.tmpfiles DESTINATION lib/tmpfiles.d RENAME upbeat.conf)
install(FILES ${packaging}/upbeat.env DESTINATION share/upbeat)
install(FILES ${packaging}/copyright DESTINATION share/doc/upbeat)
install(FILES ${packaging}/lintian-overrides DESTINATION share/lintian/overrides RENAME upbeat)

# Every file below /etc is the operator's to change.
file(GLOB snippets CONFIGURE_DEPENDS RELATIVE ${CMAKE_SOURCE_DIR}/nginx ${CMAKE_SOURCE_DIR}/nginx/snippets/*.conf)
list(TRANSFORM snippets PREPEND /etc/nginx/)
string(JOIN "\n" conffiles ${snippets} "")
file(WRITE ${CMAKE_BINARY_DIR}/package/conffiles "${conffiles}")

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME upbeat)
set(CPACK_PACKAGE_VERSION ${UPBEAT_VERSION})
set(CPACK_PACKAGE_CONTACT "The upbeat authors <maintainers@upbeat.example>")
set(CPACK_PACKAGE_DIRECTORY ${CMAKE_BINARY_DIR})
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_PROJECT_CONFIG_FILE ${packaging}/cpack.cmake)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION web)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
# nginx is in front of the workers; PostgreSQL itself may be on another machine.
set(CPACK_DEBIAN_PACKAGE_DEPENDS "nginx, postgresql-client, systemd, passwd")
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "postgresql (>= 15), libjs-chart.js")
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION "It samples Chartbeat's list of top pages, keeps the samples in PostgreSQL, and
answers over HTTP which pages are rising; it has a board for people, and tells
them when something rises.
.
Installing it starts nothing: upbeat-setup makes the database and starts it.")
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA ${packaging}/postinst ${packaging}/prerm ${packaging}/postrm ${CMAKE_BINARY_DIR}/package/conffiles)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
include(CPack)
